// A strict relying party: npm openid-client 6, one step for each line of JSON on standard input.
import { createInterface } from 'node:readline';
import * as client from 'openid-client';

const { issuer, client_id, client_secret, redirect_uri, method } = JSON.parse(process.argv[2]);
const authentications = {
  client_secret_basic: client.ClientSecretBasic,
  client_secret_post: client.ClientSecretPost,
  none: client.None,
};
const config = await client.discovery(
  new URL(issuer),
  client_id,
  { require_auth_time: true, id_token_signed_response_alg: 'RS256' },
  authentications[method](client_secret),
  { execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks], timeout: 10 },
);
const kept = {};

const steps = {
  async begin({ parameters }) {
    kept.verifier = client.randomPKCECodeVerifier();
    kept.state = client.randomState();
    kept.nonce = client.randomNonce();
    kept.maxAge = parameters.max_age && Number(parameters.max_age);
    const uri = client.buildAuthorizationUrl(config, {
      redirect_uri,
      code_challenge: await client.calculatePKCECodeChallenge(kept.verifier),
      code_challenge_method: 'S256',
      state: kept.state,
      nonce: kept.nonce,
      ...parameters,
    });
    return { uri: uri.href };
  },
  async complete({ uri }) {
    const tokens = await client.authorizationCodeGrant(config, new URL(uri), {
      pkceCodeVerifier: kept.verifier,
      expectedState: kept.state,
      expectedNonce: kept.nonce,
      maxAge: kept.maxAge,
      idTokenExpected: true,
    });
    return { tokens, claims: tokens.claims() };
  },
  async refresh({ token }) {
    const tokens = await client.refreshTokenGrant(config, token);
    return { tokens, claims: tokens.claims() };
  },
  async userinfo({ token, sub }) {
    return { claims: await client.fetchUserInfo(config, token, sub) };
  },
  async revoke({ token }) {
    await client.tokenRevocation(config, token);
    return {};
  },
  async logout({ parameters }) {
    return { uri: client.buildEndSessionUrl(config, parameters).href };
  },
  async metadata() {
    return { metadata: config.serverMetadata() };
  },
};

console.log(JSON.stringify({ ready: true }));
for await (const line of createInterface({ input: process.stdin })) {
  const { step, ...given } = JSON.parse(line);
  let answer;
  try {
    answer = await steps[step](given);
  } catch (error) {
    answer = { error: error.error ?? error.code ?? error.name, message: error.message };
  }
  console.log(JSON.stringify(answer));
}
