// A stand-in for Google's client: shows a prompt where #g_id_onload stands, and posts what was chosen.
(() => {
  const origin = new URL(document.currentScript.src).origin;
  const asked = document.getElementById("g_id_onload")?.dataset;
  if (!asked) return;

  const frame = document.createElement("iframe");
  frame.title = "Sign in with Google";
  frame.src = `${origin}/gsi/prompt?${new URLSearchParams({
    client_id: asked.client_id,
    nonce: asked.nonce,
    origin: location.origin,
  })}`;
  const side = innerWidth < 600 ? "bottom" : "top";
  Object.assign(frame.style, {
    position: "fixed", [side]: "1rem", right: "1rem", width: "min(19rem, calc(100vw - 2rem))", height: "11rem",
    border: "0", borderRadius: "1rem", boxShadow: "0 4px 24px rgb(0 0 0 / 30%)", colorScheme: "light dark",
  });
  document.body.append(frame);

  addEventListener("message", ({ data, source, origin: sender }) => {
    if (source !== frame.contentWindow || sender !== origin) return;
    frame.remove();
    if (data.credential) post(data.credential);
  });

  function post(credential) {
    const token = crypto.randomUUID();
    document.cookie = `g_csrf_token=${token}; path=/; samesite=lax`;
    const form = Object.assign(document.createElement("form"), { method: "post", action: asked.login_uri });
    for (const [name, value] of Object.entries({ credential, g_csrf_token: token })) {
      form.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
    }
    document.body.append(form);
    form.submit();
  }
})();
