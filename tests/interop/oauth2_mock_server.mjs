// npm `oauth2-mock-server` on a loopback port, configured by one JSON argument: { "keys": […private JWKs] }
// Prints {"issuer": …} once it listens.
import { OAuth2Server } from 'oauth2-mock-server';

const { keys } = JSON.parse(process.argv[2]);
const server = new OAuth2Server();
for (const key of keys) await server.issuer.keys.add(key);
server.service.on('beforeUserinfo', (answer) => {
  answer.body = { sub: 'johndoe', name: 'John Doe', email: 'john@example.test', email_verified: false };
});
await server.start(0, 'localhost');
process.stdout.write(`${JSON.stringify({ issuer: server.issuer.url })}\n`);
