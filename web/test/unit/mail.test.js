/** A mail as the demo page takes it apart. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { pieces } from '../../demo/mail.js';

const LINK = 'https://auth.example.com/account/reset#token=abc';

test('the link becomes one where it stands in the text', () => {
  const mail = { to: 'a@x', subject: 's', text: `Hello,\n\n${LINK}\n\nBye`, link: LINK };
  assert.deepEqual(pieces(mail), { before: 'Hello,\n\n', link: LINK, after: '\n\nBye' });
});

test('… and comes after a text of one’s own that has it not', () => {
  assert.deepEqual(pieces({ to: 'a@x', subject: 's', text: 'Hello', link: LINK }), { before: 'Hello\n\n', link: LINK, after: '' });
});

test('a mail without a link is its text', () => {
  assert.deepEqual(pieces({ to: 'a@x', subject: 's', text: `see ${LINK}` }), { before: `see ${LINK}`, link: '', after: '' });
});

test('what is no web address becomes no link', () => {
  for (const link of ['javascript:alert(1)', 'data:text/html,x', '/account/reset', 'mailto:a@x', ' https://x', 'httpsx://y']) {
    assert.deepEqual(pieces({ to: 'a@x', subject: 's', text: `go ${link}`, link }), { before: `go ${link}`, link: '', after: '' });
  }
});
