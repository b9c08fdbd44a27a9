/** An id_token as OpenID Connect Core §3.1.3.7 has it checked, by a JOSE library: what the clients do not look at is looked at here. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createRemoteJWKSet, jwtVerify } from 'jose';

/** Verifies it and gives its claims. */
export const verifiedIdToken = async (issuer, { id_token, access_token }, { client, alg = 'RS256', nonce, subject }) => {
  const { jwks_uri } = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json();
  const { payload, protectedHeader } = await jwtVerify(id_token, createRemoteJWKSet(new URL(jwks_uri)), { issuer, audience: client, algorithms: [alg] });
  assert.equal(protectedHeader.alg, alg);
  assert.equal(payload.aud, client);
  assert.equal(payload.nonce, nonce);
  assert.ok(payload.sid, 'has the sid that a back-channel log-out names');
  assert.ok(payload.auth_time <= payload.iat);
  if (subject) assert.equal(payload.sub, subject);
  const half = createHash('sha256').update(access_token).digest().subarray(0, 16);
  assert.equal(payload.at_hash, half.toString('base64url'));
  return payload;
};
