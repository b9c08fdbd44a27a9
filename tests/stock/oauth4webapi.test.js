/** oauth4webapi 3, the strict library under many others: it checks each answer by the letter of its RFC. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import * as oauth from 'oauth4webapi';
import { verifiedIdToken } from './harness/id-token.js';
import { isHttps, scheme, startServices } from './harness/services.js';
import { Visitor } from './harness/visitor.js';

const HOME = 'http://127.0.0.1:9/callback';
const options = { [oauth.allowInsecureRequests]: !isHttps };

let services;
before(async () => {
  services = await startServices({
    clients: {
      confidential: ['--kind', 'web', '--redirect', HOME],
      public: ['--kind', 'browser', '--redirect', HOME],
      es256: ['--kind', 'browser', '--redirect', HOME, '--id-token-alg', 'ES256'],
      worker: ['--kind', 'service', '--api', '--scope', 'orders:read'],
    },
  });
});
after(() => services?.close());

const discovered = async (algorithm = 'oidc') => {
  const issuer = new URL(services.issuer);
  return oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { ...options, algorithm }));
};

/** Up to the answer of the authorization endpoint. */
const authorized = async (as, client, { parameters = {}, decision } = {}) => {
  const [user, visitor] = [await services.register(), new Visitor(services.issuer)];
  const [verifier, state, nonce] = [oauth.generateRandomCodeVerifier(), oauth.generateRandomState(), oauth.generateRandomNonce()];
  const url = new URL(as.authorization_endpoint);
  url.search = new URLSearchParams({
    response_type: 'code',
    client_id: client.client_id,
    redirect_uri: HOME,
    scope: 'openid email',
    state,
    nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    ...parameters,
  });
  const { left } = await visitor.signOnTo(HOME, url, { user, decision });
  return { left, user, verifier, state, nonce };
};

const named = (name, body) => test(`${scheme}: oauth4webapi: ${name}`, body);

named('the metadata are the same at both well-known addresses', async () => {
  const metadata = await discovered();
  assert.deepEqual(await discovered('oauth2'), metadata);
  assert.equal(metadata.issuer, services.issuer);
  assert.equal(metadata.authorization_response_iss_parameter_supported, true);
  assert.deepEqual(metadata.code_challenge_methods_supported, ['S256']);
});

for (const [id, alg, auth] of [
  ['confidential', 'RS256', (secret) => oauth.ClientSecretBasic(secret)],
  ['public', 'RS256', () => oauth.None()],
  ['es256', 'ES256', () => oauth.None()],
]) {
  named(`code, id_token, userinfo, refresh and revocation of the client “${id}” are by the letter`, async () => {
    const as = await discovered();
    const client = { client_id: id, id_token_signed_response_alg: alg };
    const authentication = auth(services.secrets[id]);
    const { left, user, verifier, state, nonce } = await authorized(as, client);

    const parameters = oauth.validateAuthResponse(as, client, left, state);
    const answer = await oauth.authorizationCodeGrantRequest(as, client, authentication, parameters, HOME, verifier, options);
    assert.match(answer.headers.get('cache-control'), /no-store/);
    const tokens = await oauth.processAuthorizationCodeResponse(as, client, answer, { expectedNonce: nonce, requireIdToken: true });
    await oauth.validateApplicationLevelSignature(as, answer, options);
    const { sub } = oauth.getValidatedIdTokenClaims(tokens);
    assert.equal(sub, user.id);
    await verifiedIdToken(services.issuer, tokens, { client: id, alg, nonce });

    const info = await oauth.processUserInfoResponse(as, client, sub, await oauth.userInfoRequest(as, client, tokens.access_token, options));
    assert.equal(info.email, user.email);

    const refreshed = await oauth.refreshTokenGrantRequest(as, client, authentication, tokens.refresh_token, options);
    const next = await oauth.processRefreshTokenResponse(as, client, refreshed);
    await oauth.validateApplicationLevelSignature(as, refreshed, options);
    const claims = await verifiedIdToken(services.issuer, next, { client: id, alg, nonce: undefined });
    assert.equal(claims.sub, sub);

    await oauth.processRevocationResponse(await oauth.revocationRequest(as, client, authentication, next.refresh_token, options));
    const over = await oauth.refreshTokenGrantRequest(as, client, authentication, next.refresh_token, options);
    await assert.rejects(oauth.processRefreshTokenResponse(as, client, over), { error: 'invalid_grant', status: 400 });
  });
}

named('an error answer of the authorization endpoint is one of the library', async () => {
  const as = await discovered();
  const client = { client_id: 'public' };
  const { left, state } = await authorized(as, client, { decision: 'deny' });
  assert.throws(() => oauth.validateAuthResponse(as, client, left, state), { name: 'AuthorizationResponseError', error: 'access_denied' });
  const implicit = await authorized(as, client, { parameters: { response_type: 'token' } });
  assert.throws(() => oauth.validateAuthResponse(as, client, implicit.left, implicit.state), { error: 'unsupported_response_type' });
});

named('an answer of another issuer is refused (mix-up)', async () => {
  const as = await discovered();
  const client = { client_id: 'public' };
  const { left, state } = await authorized(as, client);
  left.searchParams.set('iss', 'https://evil.example');
  assert.throws(() => oauth.validateAuthResponse(as, client, left, state), /iss/);
});

named('a token that is none has its challenge at userinfo and at resource-api', async () => {
  const as = await discovered();
  const client = { client_id: 'public' };
  const challenge = (error) => {
    assert.equal(error.name, 'WWWAuthenticateChallengeError');
    assert.equal(error.status, 401);
    assert.equal(error.cause[0].scheme, 'bearer');
    assert.equal(error.cause[0].parameters.error, 'invalid_token');
    return true;
  };
  await assert.rejects(async () => oauth.processUserInfoResponse(as, client, oauth.skipSubjectCheck, await oauth.userInfoRequest(as, client, 'a.b.c', options)), challenge);
  await assert.rejects(() => oauth.protectedResourceRequest('a.b.c', 'GET', new URL(`${services.api}/api/home`), undefined, undefined, options), challenge);
});

named('a service asks for a token by its secret, and a wrong secret has its challenge', async () => {
  const as = await discovered();
  const client = { client_id: 'worker' };
  const ask = (authentication) => oauth.clientCredentialsGrantRequest(as, client, authentication, { scope: 'orders:read' }, options);
  const tokens = await oauth.processClientCredentialsResponse(as, client, await ask(oauth.ClientSecretBasic(services.secrets.worker)));
  const answer = await oauth.protectedResourceRequest(tokens.access_token, 'GET', new URL(`${services.api}/api/home`), undefined, undefined, options);
  assert.equal(answer.status, 200);

  const byBasic = await ask(oauth.ClientSecretBasic('a guess'));
  assert.equal(byBasic.status, 401);
  assert.match(byBasic.headers.get('www-authenticate'), /^Basic/);
  const byPost = await ask(oauth.ClientSecretPost('a guess'));
  await assert.rejects(oauth.processClientCredentialsResponse(as, client, byPost), { error: 'invalid_client', status: 401 });
});
