/** The demo page's words against what the service can say. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { because } from '../../demo/words.js';

const { components, paths } = JSON.parse(readFileSync(new URL('../../../crates/auth-server/openapi.json', import.meta.url), 'utf8'));

/** How it says what it has no words for. */
const UNKNOWN = /the service said/;

test('the page has words of its own for every reason that ends a session, none twice', () => {
  const reasons = components.schemas.Problem.properties.reason.enum;
  assert.ok(reasons.includes('guessing') && reasons.length > 5);
  const words = reasons.map(because);
  for (const [at, said] of words.entries()) assert.doesNotMatch(said, UNKNOWN, reasons[at]);
  assert.equal(new Set(words).size, reasons.length);
});

test('… and for every code with which a refresh is refused', () => {
  const refused = JSON.stringify(paths['/api/account/refresh-token'].post.responses['401']);
  const codes = [...new Set(refused.match(/\b(session|refresh_token|invalid)_[a-z_]+/g))];
  assert.ok(codes.length > 4, codes.join());
  for (const code of codes) assert.doesNotMatch(because(code), UNKNOWN, code);
});

test('a reason that is new is quoted', () => {
  assert.match(because('eclipse'), /the service said “eclipse”/);
});
