from __future__ import annotations

import asyncio
import os
import select
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import pytest

from connectors_core.errors import StorageError
from tests.postgres_server import driver

psycopg = driver()

from connectors_core.storage import postgresql  # noqa: E402
from connectors_core.storage.postgresql import PostgresDatabase  # noqa: E402
from connectors_core.storage.postgresql_reads import ReadFailed, Reads  # noqa: E402

PID = "SELECT pg_backend_pid()"
ECHO = "SELECT :text::text, pg_backend_pid()"


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[PostgresDatabase]:
    database = PostgresDatabase(postgres_url, most_connections=2)
    yield database
    await database.aclose()


async def opened(database: PostgresDatabase) -> Reads:
    """The connection that reads share, when it is there."""
    pool = await database._pool()
    pool.reads()
    if pool._opening is not None:
        await pool._opening
    reads = pool.reads()
    assert reads is not None
    return reads


@pytest.fixture
async def reads(database: PostgresDatabase) -> Reads:
    return await opened(database)


async def pid_of(reads: Reads) -> int:
    ((pid,),) = await reads.read(PID, {})
    return int(pid)


async def ended(pid: int, postgres_url: str) -> None:
    """End a connection at the server, and return when this end knows of it."""
    with psycopg.connect(postgres_url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


async def test_reads_at_once_share_a_connection_and_each_has_its_own_answer(
    database: PostgresDatabase, reads: Reads
) -> None:
    pid = await pid_of(reads)
    answers = await asyncio.gather(*(database.read(ECHO, {"text": str(n)}) for n in range(100)))
    assert answers == [[(str(n), pid)] for n in range(100)]


async def test_nobody_waits_until_that_connection_is_open(database: PostgresDatabase) -> None:
    ((pid,),) = await database.read(PID)
    assert pid != await pid_of(await opened(database))


async def test_values_are_what_they_are_in_a_statement_of_its_own(database: PostgresDatabase) -> None:
    sql = "SELECT 1, 2.5::float8, 'é😀'::text, '\\x0001'::bytea, NULL::text, TRUE, :text::text, ':a' LIKE '%'"
    alone = await database.read(sql, {"text": "ü"})
    await opened(database)
    assert await database.read(sql, {"text": "ü"}) == alone
    assert alone == [(1, 2.5, "é😀", b"\x00\x01", None, True, "ü", True)]


async def test_no_row_and_several_rows(database: PostgresDatabase, reads: Reads) -> None:
    sql = "SELECT x FROM generate_series(1, CAST(:most AS INTEGER)) x"
    assert await reads.read(sql, {"most": "0"}) == []
    assert await reads.read(sql, {"most": "3"}) == [(1,), (2,), (3,)]


@pytest.mark.parametrize("value", [7, None, 1.5])
async def test_what_is_no_text_is_read_on_another_connection(
    database: PostgresDatabase, reads: Reads, value: Any
) -> None:
    sql = "SELECT CAST(:value AS FLOAT8)"
    assert await database.read(sql, {"value": value}) == [(value,)]
    assert not reads.closed


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
async def test_what_no_text_can_be_is_refused_and_not_cut_off(
    database: PostgresDatabase, reads: Reads, text: str
) -> None:
    with pytest.raises(StorageError):
        await database.read(ECHO, {"text": text})
    assert not reads.closed


async def test_a_statement_that_fails_says_why_and_the_others_are_answered(
    database: PostgresDatabase, reads: Reads
) -> None:
    sql = "SELECT 1 / CAST(:by AS INTEGER)"
    answers = await asyncio.gather(*(database.read(sql, {"by": by}) for by in "1101"), return_exceptions=True)
    assert [answers[0], answers[1], answers[3]] == [[(1,)]] * 3
    assert isinstance(answers[2], StorageError)
    assert "22012" in str(answers[2])
    assert reads.closed


async def test_a_statement_that_cannot_be_prepared_says_why(database: PostgresDatabase, reads: Reads) -> None:
    with pytest.raises(StorageError, match="42601"):
        await database.read("SELEC :text", {"text": "x"})
    assert await database.read("SELECT :text::text", {"text": "x"}) == [("x",)]


async def test_whoever_is_cancelled_takes_nothing_from_the_others(
    database: PostgresDatabase, reads: Reads
) -> None:
    tasks = [asyncio.create_task(database.read(ECHO, {"text": str(n)})) for n in range(20)]
    await asyncio.sleep(0)
    for task in tasks[::3]:
        task.cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    for number, answer in enumerate(answers):
        if number % 3:
            assert not isinstance(answer, BaseException)
            assert answer[0][0] == str(number)
        else:
            assert isinstance(answer, asyncio.CancelledError)
    assert not reads.closed


async def test_what_does_not_fit_into_a_packet_is_sent_and_read_in_parts(
    database: PostgresDatabase, reads: Reads
) -> None:
    texts = [f"{number}" * 400_000 for number in range(8)]
    answers = await asyncio.gather(*(reads.read("SELECT :text::text", {"text": text}) for text in texts))
    assert answers == [[(text,)] for text in texts]


async def test_one_that_the_server_ended_is_noticed_and_opened_anew_after_a_while(
    database: PostgresDatabase, reads: Reads, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ended(await pid_of(reads), postgres_url)
    assert await database.read("SELECT :text::text", {"text": "x"}) == [("x",)]
    assert reads.closed
    pool = await database._pool()
    assert pool.reads() is None
    assert pool._open_reads_at <= asyncio.get_running_loop().time() + postgresql.REST
    monkeypatch.setattr(postgresql, "REST", 0.0)
    pool._open_reads_at = 0.0
    another = await opened(database)
    assert another is not reads
    assert await another.read(PID, {})


async def test_who_waits_when_the_connection_ends_is_answered_on_another(
    database: PostgresDatabase, reads: Reads, postgres_url: str
) -> None:
    pid = await pid_of(reads)
    slow = f"SELECT :text::text FROM pg_sleep(CASE pg_backend_pid() WHEN {pid} THEN 30 ELSE 0 END)"
    waiting = [asyncio.create_task(database.read(slow, {"text": str(n)})) for n in range(3)]
    await asyncio.sleep(0)
    assert len(reads._asked) == 3
    await asyncio.to_thread(asyncio.run, ended(pid, postgres_url))
    assert await asyncio.gather(*waiting) == [[("0",)], [("1",)], [("2",)]]


async def test_closing_leaves_nobody_waiting(database: PostgresDatabase, reads: Reads) -> None:
    waiting = asyncio.create_task(reads.read("SELECT pg_sleep(30)", {}))
    await asyncio.sleep(0)
    await database.aclose()
    with pytest.raises(ReadFailed):
        await waiting
    with pytest.raises(StorageError, match="closed"):
        await database.read(PID)


async def test_closing_does_not_wait_for_one_that_is_being_opened(database: PostgresDatabase) -> None:
    pool = await database._pool()
    assert pool.reads() is None
    await database.aclose()
    assert pool._reads is None


async def test_where_none_can_be_opened_reads_go_on(
    database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    await database.read(PID)  # has a connection of the pool
    pool = await database._pool()

    async def refused() -> Any:
        raise StorageError("too many connections")

    pool._open_reads_at = 0.0
    monkeypatch.setattr(pool, "_connect", refused)
    before = pool._reads
    if before is not None:
        before.close()
    assert await database.read("SELECT 1") == [(1,)]
    assert pool._opening is not None
    await pool._opening
    assert await database.read("SELECT 1") == [(1,)]


def test_a_database_that_reads_outlives_an_event_loop(postgres_url: str) -> None:
    database = PostgresDatabase(postgres_url)

    async def ask() -> None:
        await opened(database)
        assert await database.read("SELECT 1") == [(1,)]

    async def ask_and_close() -> None:
        await ask()
        assert len(database._pools) == 1
        await database.aclose()

    asyncio.run(ask())
    asyncio.run(ask_and_close())


async def test_one_that_is_closed_is_not_watched_any_more(reads: Reads) -> None:
    waiting = asyncio.create_task(reads.read("SELECT length(:text)", {"text": "x" * 20_000_000}))
    await asyncio.sleep(0)
    assert reads._server.flush()  # there is more to be sent
    reads.close()
    loop = asyncio.get_running_loop()
    assert not loop.remove_reader(reads._socket)
    assert not loop.remove_writer(reads._socket)
    with pytest.raises(ReadFailed):
        await waiting


async def test_the_event_loop_is_not_woken_when_nothing_is_left_to_be_sent(reads: Reads) -> None:
    assert await reads.read("SELECT length(:text)", {"text": "x" * 20_000_000}) == [(20_000_000,)]
    assert not asyncio.get_running_loop().remove_writer(reads._socket)


async def test_one_on_which_nothing_can_be_sent_is_closed(reads: Reads) -> None:
    reads._server.finish()
    with pytest.raises(ReadFailed):
        await reads.read(PID, {})
    assert reads.closed


async def test_closing_tells_those_who_wait_behind_one_that_was_cancelled(reads: Reads) -> None:
    first, second = (asyncio.create_task(reads.read("SELECT pg_sleep(30)", {})) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    reads.close()
    with pytest.raises(ReadFailed):
        await second
    assert first.cancelled()


def test_one_whose_event_loop_is_closed_can_be_closed(postgres_url: str) -> None:
    database = PostgresDatabase(postgres_url)
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda *_: None)  # of a task that nobody finishes
    reads = loop.run_until_complete(opened(database))
    waiting = loop.create_task(reads.read("SELECT pg_sleep(30)", {}))
    loop.run_until_complete(asyncio.sleep(0))
    assert reads._asked
    loop.close()
    asyncio.run(database.aclose())
    assert reads.closed
    assert not waiting.done()


async def test_texts_are_in_the_encoding_of_the_connection(postgres_url: str) -> None:
    database = PostgresDatabase(postgres_url + "&client_encoding=latin1")
    reads = await opened(database)
    assert await reads.read("SELECT :text::text", {"text": "é"}) == [("é",)]
    await database.aclose()


async def test_a_table_may_change_under_a_statement(database: PostgresDatabase, reads: Reads) -> None:
    await database.fetch("CREATE TABLE changing AS SELECT 'x' AS a, '1' AS b")
    sql = "SELECT b FROM changing WHERE a = :a"
    try:
        assert await database.read(sql, {"a": "x"}) == [("1",)]
        await database.fetch("ALTER TABLE changing ALTER b TYPE INTEGER USING b::INTEGER, ADD c TEXT")
        assert await database.read(sql, {"a": "x"}) == [(1,)]
    finally:
        await database.fetch("DROP TABLE changing")


class Relay:
    """Stands before the server and says ``instead`` of its next words; where it cuts them, it hangs up."""

    def __init__(self, server: str) -> None:
        self._server = f"{server.partition('host=')[2]}/.s.PGSQL.5432"
        self._ended: set[asyncio.Task[None]] = set()
        self.instead: Callable[[bytes], bytes] | None = None
        self._clients: list[asyncio.StreamWriter] = []

    def hang_up(self) -> None:
        for client in self._clients:
            client.transport.abort()

    async def __aenter__(self) -> str:
        self._listening = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        port = self._listening.sockets[0].getsockname()[1]
        return f"postgresql://postgres@127.0.0.1:{port}/postgres?sslmode=disable&gssencmode=disable"

    async def __aexit__(self, *_: object) -> None:
        self._listening.close()
        if self._ended:
            await asyncio.wait(self._ended)

    async def _connected(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        self._clients.append(to_client)
        server, to_server = await asyncio.open_unix_connection(self._server)
        for reads, writes, said in ((client, to_server, False), (server, to_client, True)):
            task = asyncio.create_task(self._relay(reads, writes, said=said))
            self._ended.add(task)
            task.add_done_callback(self._ended.discard)

    async def _relay(self, reads: asyncio.StreamReader, writes: asyncio.StreamWriter, *, said: bool) -> None:
        with suppress(ConnectionError):
            while words := await reads.read(1 << 16):
                instead = words
                if said and self.instead is not None:
                    instead, self.instead = self.instead(words), None
                writes.write(instead)
                if len(instead) < len(words):
                    break
        writes.close()


@pytest.mark.parametrize(
    "instead",
    [
        lambda words: words[:-20],
        lambda words: words[:10] + bytes(range(1, 9)) * 50 + words[10:],
    ],
    ids=["cut off", "not of the protocol"],
)
async def test_what_is_no_answer_is_nobody_s(postgres_url: str, instead: Callable[[bytes], bytes]) -> None:
    relay = Relay(postgres_url)
    async with relay as url:
        database = PostgresDatabase(url)
        reads = await opened(database)
        assert await reads.read("SELECT :text::text", {"text": "before"}) == [("before",)]
        relay.instead = instead
        with pytest.raises(ReadFailed):
            await reads.read("SELECT :text::text", {"text": "x"})
        assert reads.closed
        assert await database.read("SELECT :text::text", {"text": "after"}) == [("after",)]
        await database.aclose()


async def test_an_answer_is_not_given_twice(postgres_url: str) -> None:
    relay = Relay(postgres_url)
    async with relay as url:
        database = PostgresDatabase(url)
        reads = await opened(database)
        relay.instead = lambda words: words + b"Z\0\0\0\5I"  # one more end of a transaction
        assert await reads.read("SELECT :text::text", {"text": "alice"}) == [("alice",)]
        with pytest.raises(ReadFailed):
            await reads.read("SELECT :text::text", {"text": "bob"})
        await database.aclose()


async def test_a_loss_while_something_is_still_to_be_sent_leaves_nobody_waiting(postgres_url: str) -> None:
    relay = Relay(postgres_url)
    async with relay as url:
        database = PostgresDatabase(url)
        reads = await opened(database)
        large = asyncio.create_task(reads.read("SELECT length(:text)", {"text": "x" * 20_000_000}))
        small = asyncio.create_task(reads.read(PID, {}))
        await asyncio.sleep(0)
        assert reads._server.flush()  # the event loop watches for both, and libpq closes the socket itself
        relay.hang_up()
        for waiting in (large, small):
            with pytest.raises(ReadFailed):
                await asyncio.wait_for(waiting, 5)
        await database.aclose()


async def test_an_answer_is_read_even_when_the_next_statement_ends_the_connection(postgres_url: str) -> None:
    database = PostgresDatabase(postgres_url + "&client_encoding=latin1")
    reads = await opened(database)
    good = asyncio.create_task(reads.read("SELECT :text::text", {"text": "Ã©"}))
    bad = asyncio.create_task(reads.read("SELECT 1 / CAST(:by AS INTEGER)", {"by": "0"}))
    await asyncio.sleep(0)
    with socket.socket(fileno=os.dup(reads._socket)) as server:
        select.select([server], [], [], 5)
        while b"22012" not in server.recv(65_536, socket.MSG_PEEK):
            pass  # both answers are to be there when the loop looks
    with pytest.raises(ReadFailed):
        await bad
    assert await good == [("Ã©",)]
    await database.aclose()


async def test_whoever_waits_behind_a_lock_is_sent_elsewhere_in_the_end(
    database: PostgresDatabase, reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = asyncio.create_task(reads.read("SELECT pg_sleep(30)", {}))
    await asyncio.sleep(0)
    reads._look(None)  # as its timer does
    assert not reads.closed
    reads._look(reads._asked[0])
    with pytest.raises(ReadFailed):
        await waiting
    assert reads.closed


async def test_a_server_that_answers_is_not_given_up(reads: Reads) -> None:
    slow = asyncio.create_task(reads.read("SELECT 1 FROM pg_sleep(0.05)", {}))
    await asyncio.sleep(0)
    reads._look(None)
    (before,) = reads._asked
    assert await slow == [(1,)]
    under_way = asyncio.create_task(reads.read("SELECT 2 FROM pg_sleep(0.05)", {}))
    await asyncio.sleep(0)
    reads._look(before)
    assert await under_way == [(2,)]


async def test_one_is_opened_at_a_time(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql, "REST", 0.0)
    database = PostgresDatabase(postgres_url)
    pool = await database._pool()
    connect, begun, go = pool._connect, 0, asyncio.Event()

    async def slow() -> Any:
        nonlocal begun
        begun += 1
        await go.wait()
        return await connect()

    monkeypatch.setattr(pool, "_connect", slow)
    for _ in range(3):
        assert pool.reads() is None
        await asyncio.sleep(0)
    go.set()
    assert await opened(database)
    assert begun == 1
    await database.aclose()


@pytest.mark.parametrize(
    "sql", ["COPY (SELECT 1) TO STDOUT", "LISTEN nobody", "SELECT 'infinity'::timestamptz"]
)
async def test_what_is_no_answer_of_rows_fails_there_and_holds_up_nobody(reads: Reads, sql: str) -> None:
    with pytest.raises(ReadFailed):
        await asyncio.wait_for(reads.read(sql, {}), 5)


async def test_a_parameter_that_is_missing_is_a_storage_error(
    database: PostgresDatabase, reads: Reads
) -> None:
    with pytest.raises(StorageError):
        await database.read(ECHO, {})
