/** A logout token as OpenID Connect Back-Channel Logout 1.0 §2.6 has it checked, by a JOSE library: what a program without a library for it writes. */
import assert from 'node:assert/strict';
import { createRemoteJWKSet, jwtVerify } from 'jose';

const EVENT = 'http://schemas.openid.net/event/backchannel-logout';

/** Verifies it and gives its claims. */
export const verifiedLogoutToken = async (issuer, token, { client, alg = 'RS256' }) => {
  const { jwks_uri } = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json();
  const { payload } = await jwtVerify(token, createRemoteJWKSet(new URL(jwks_uri)), {
    issuer,
    audience: client,
    algorithms: [alg],
    typ: 'logout+jwt',
    maxTokenAge: '2 minutes',
    requiredClaims: ['exp', 'jti', 'sid', 'sub'],
  });
  assert.equal(payload.aud, client);
  assert.deepEqual(payload.events, { [EVENT]: {} });
  assert.equal('nonce' in payload, false);
  return payload;
};
