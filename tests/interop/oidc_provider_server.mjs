// npm `oidc-provider` on a loopback port, configured by one JSON argument:
//   { "path": "/tenant", "clients": […], "keys": […private JWKs] }
// Prints {"issuer": …} once it listens. POST /control/keys {"keys": […]} replaces the signing keys.
import { createServer } from 'node:http';
import { json } from 'node:stream/consumers';
import { Provider } from 'oidc-provider';

const { path = '', clients, keys } = JSON.parse(process.argv[2]);
const ALGORITHMS = ['RS256', 'PS256', 'ES256', 'EdDSA', 'HS256'];
const SIGNING = [...ALGORITHMS, 'HS384', 'HS512'];

async function findAccount(ctx, sub) {
  return {
    accountId: sub,
    claims: () => ({
      sub,
      name: 'Alice Example',
      email: `${sub}@example.test`,
      email_verified: true,
      phone_number: '+15550100',
      phone_number_verified: false,
    }),
  };
}

function make(issuer, signingKeys) {
  return new Provider(issuer, {
    clients,
    findAccount,
    jwks: { keys: signingKeys },
    clientAuthMethods: [
      'client_secret_basic', 'client_secret_post', 'client_secret_jwt', 'private_key_jwt', 'none',
    ],
    enabledJWA: { idTokenSigningAlgValues: ALGORITHMS, clientAuthSigningAlgValues: SIGNING },
    claims: {
      openid: ['sub'],
      profile: ['name'],
      email: ['email', 'email_verified'],
      phone: ['phone_number', 'phone_number_verified'],
    },
    features: { revocation: { enabled: true }, backchannelLogout: { enabled: true } },
    // It guards itself against private addresses, and the host under test is on one.
    fetch: (url, { dispatcher, ...options }) => fetch(url, options),
    cookies: { keys: ['not-a-secret'] },
    rotateRefreshToken: true,
    ttl: { AccessToken: 3600, AuthorizationCode: 60, IdToken: 3600, RefreshToken: 86400,
      Grant: 86400, Interaction: 3600, Session: 86400 },
  });
}

let provider;
const server = createServer(async (request, response) => {
  if (request.url === '/control/keys') {
    provider = make(provider.issuer, (await json(request)).keys);
    response.end('{}');
  } else if (request.url.startsWith(`${path}/`)) {
    request.originalUrl = request.url;
    request.url = request.url.slice(path.length);
    provider.callback()(request, response);
  } else {
    response.writeHead(404).end();
  }
});
server.listen(0, '127.0.0.1', () => {
  provider = make(`http://localhost:${server.address().port}${path}`, keys);
  process.stdout.write(`${JSON.stringify({ issuer: provider.issuer })}\n`);
});
