/** The demo page's words against what the service can say. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { because, mailTrouble, scopeWords, trouble } from '../../demo/words.js';

const { components, paths } = JSON.parse(readFileSync(new URL('../../../crates/auth-server/openapi.json', import.meta.url), 'utf8'));

/** How it says what it has no words for. */
const UNKNOWN = /the service said/;

/** Why a password is not taken: the reasons of a problem are these and those that end a session. */
const WEAK = ['length', 'guessable', 'breached'];
const told = components.schemas.Problem.properties.reason.enum;

test('the page has words of its own for every reason that ends a session, none twice', () => {
  const reasons = told.filter((reason) => !WEAK.includes(reason));
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

test('a weak password: the rule of its length, else the service’s own advice as a sentence', () => {
  assert.deepEqual(WEAK.filter((reason) => !told.includes(reason)), []);
  const weak = (reason, detail) => trouble({ status: 422, code: 'weak_password', reason, detail });
  assert.equal(weak('guessable', 'this password is easy to guess. Add another word or two.'), 'This password is easy to guess. Add another word or two.');
  assert.equal(weak('breached', 'this password is in a list of leaked ones'), 'This password is in a list of leaked ones.');
  const rule = 'A password needs 8 to 256 characters.';
  assert.deepEqual([weak('length', 'the password must have 8 to 256 characters'), weak('guessable'), weak(undefined, 'no')], [rule, rule, rule]);
});

test('an address that is not proven yet: a mail is on its way, whichever way the client tells it', () => {
  const words = /A mail with a link was sent again/;
  assert.match(trouble({ status: 403, code: 'email_not_verified' }), words);
  assert.match(trouble({ code: 'refused', problem: 'email_not_verified', status: 403 }), words);
});

test('too many mails: when the next one can go; of anything else what is always said', () => {
  assert.equal(mailTrouble({ status: 429, retryAfter: 40 }), 'A mail was asked for a moment ago. The next one can go in 40 seconds.');
  assert.match(mailTrouble({ status: 429, retryAfter: 3000 }), /in 50 minutes\.$/);
  assert.match(mailTrouble({ status: 429 }), /in 1 second\.$/);
  const told = { status: 422, code: 'invalid_email' };
  assert.equal(mailTrouble(told), trouble(told));
});

test('what a program may do, in words; a word of somebody else’s stays as it is', () => {
  assert.equal(scopeWords('openid email'), 'knows who you are, your e-mail');
  assert.equal(scopeWords('openid orders:read'), 'knows who you are, orders:read');
  assert.equal(scopeWords(''), '');
});

test('… and the page has a word for every scope that the service knows', () => {
  const known = ['openid', 'profile', 'email', 'roles', 'offline_access', 'account'];
  for (const scope of known) assert.notEqual(scopeWords(scope), scope);
});
