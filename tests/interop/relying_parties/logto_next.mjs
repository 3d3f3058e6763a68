// The article's Next.js application without Next.js: `handleAuthRoutes()` of @logto/next behind a plain server,
// with the members that Next's API routes add to requests and responses (query, cookies; json, redirect, status).
// Next.js itself is 340 MB, of which nothing but these is used.
import { createServer } from 'node:http';
import LogtoClient from '@logto/next';
import { parse } from 'cookie';

const { appId, appSecret, endpoint } = JSON.parse(process.argv[2]);

const home = `<!doctype html><title>Shop</title><nav>
<p id="who"></p>
<button id="in">Sign in</button> <button id="out">Sign out</button>
<script>
  fetch('/api/logto/user').then((r) => r.json()).then((data) => {
    document.getElementById('who').textContent = data.isAuthenticated ? 'Hello ' + data.claims.sub : 'Nobody';
  });
  document.getElementById('in').onclick = () => window.location.assign('/api/logto/sign-in');
  document.getElementById('out').onclick = () => window.location.assign('/api/logto/sign-out');
</script>`;

let handler;
const server = createServer(async (request, response) => {
  const url = new URL(request.url, 'http://localhost');
  const action = url.pathname.match(/^\/api\/logto\/([a-z-]+)$/)?.[1];
  if (!action) {
    response.setHeader('Content-Type', 'text/html');
    response.end(url.pathname === '/' ? home : '');
    return;
  }
  request.query = { action, ...Object.fromEntries(url.searchParams) };
  request.cookies = parse(request.headers.cookie ?? '');
  response.status = (code) => {
    response.statusCode = code;
    return response;
  };
  response.json = (value) => {
    response.setHeader('Content-Type', 'application/json');
    response.end(JSON.stringify(value));
  };
  response.redirect = (location) => {
    response.writeHead(307, { Location: location }).end();
  };
  try {
    await handler(request, response);
  } catch (error) {
    response.status(500).end(String(error.code ?? error.message));
  }
});

server.listen(0, 'localhost', () => {
  const baseUrl = `http://localhost:${server.address().port}`;
  const logtoClient = new LogtoClient({
    appId,
    appSecret,
    endpoint,
    baseUrl,
    cookieSecret: 'complex_password_at_least_32_characters_long',
    cookieSecure: false,
  });
  handler = logtoClient.handleAuthRoutes();
  console.log(JSON.stringify({ issuer: baseUrl }));
});
