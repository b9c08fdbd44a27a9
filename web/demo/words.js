/** What the page says: durations, times and reasons as a person would put them. */

/** @param {number} count @param {string} unit */
const many = (count, unit) => `${count} ${unit}${count === 1 ? '' : 's'}`;

/** A length in the one or two units that matter. @param {number} seconds */
export const duration = (seconds) => {
  const whole = Math.round(Math.abs(seconds));
  if (whole < 90) return many(whole, 'second');
  if (whole < 5400) return many(Math.round(whole / 60), 'minute');
  if (whole < 129_600) return many(Math.round(whole / 3600), 'hour');
  return many(Math.round(whole / 86_400), 'day');
};

/** @param {number} skew milliseconds by which the service's clock is ahead */
export const clockDifference = (skew) => {
  const seconds = skew / 1000;
  if (Math.abs(seconds) < 2) return 'This machine’s clock and the server’s agree.';
  const which = seconds > 0 ? 'ahead of' : 'behind';
  return `The server’s clock is ${duration(seconds)} ${which} this machine’s. It does not matter: the API decides.`;
};

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const DAY = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' });

/** @param {number} seconds */
export const timeOfDay = (seconds) => CLOCK.format(seconds * 1000);

/** @param {number} seconds */
export const dayAndTime = (seconds) => DAY.format(seconds * 1000);

const BROWSERS = [
  [/Edg\w*\/(\d+)/, 'Edge'],
  [/OPR\/(\d+)/, 'Opera'],
  [/Firefox\/(\d+)/, 'Firefox'],
  [/(?:Headless)?Chrom\w+\/(\d+)/, 'Chrome'],
  [/Version\/(\d+).*Safari/, 'Safari'],
  [/^([\w.-]+\/[\d.]+)$/, ''],
];
const SYSTEMS = [
  [/Android/, 'Android'],
  [/iPhone|iPad/, 'iOS'],
  [/Windows/, 'Windows'],
  [/Mac OS/, 'macOS'],
  [/CrOS/, 'ChromeOS'],
  [/Linux/, 'Linux'],
];

/** A browser's long name for itself, short. @param {string | null} [agent] */
export const device = (agent) => {
  if (!agent) return 'Unknown device';
  for (const [pattern, name] of BROWSERS) {
    const found = /** @type {RegExp} */ (pattern).exec(agent);
    const system = SYSTEMS.find(([known]) => /** @type {RegExp} */ (known).test(agent))?.[1];
    if (found) return `${name} ${found[1]}${system ? ` on ${system}` : ''}`.trim();
  }
  return agent.length > 60 ? `${agent.slice(0, 59)}…` : agent;
};

/** @type {Record<string, string>} */
const REASONS = {
  logout: 'you logged out',
  elsewhere: 'it happened in another tab',
  ended: 'this session was ended from the list of sessions',
  password: 'the password was changed',
  blocked: 'the account was blocked',
  reuse: 'an old refresh token came back, so somebody may have copied it',
  refresh_token_reused: 'an old refresh token came back, so somebody may have copied it',
  refresh_token_superseded: 'this refresh token was already replaced',
  limit: 'too many other sessions were opened',
  admin: 'an administrator ended it',
  guessing: 'too many wrong current passwords came from this session',
  replaced: 'a later log-in in the same browser took its place',
  client: 'an operator blocked or removed the program',
  idle: 'it was not used for too long',
  absolute: 'it reached its longest life',
  session_expired: 'the session is over',
  session_revoked: 'the session was ended',
  invalid_access_token: 'the access token was not genuine',
  invalid_refresh_token: 'the refresh token was not genuine',
};

/** @param {string} reason */
export const because = (reason) => REASONS[reason] ?? `the service said “${reason}”`;

/** @type {Record<string, string>} */
const PROBLEMS = {
  invalid_credentials: 'E-mail and password do not fit together.',
  wrong_current_password: 'The current password is wrong.',
  account_blocked: 'This account is blocked.',
  account_exists: 'There is an account with this e-mail already.',
  registration_closed: 'Registration is closed on this server. Ask whoever runs it for an account.',
  email_not_verified: 'This address is not confirmed yet. A mail with a link was sent again: open it, then log in.',
  weak_password: 'A password needs 8 to 256 characters.',
  invalid_email: 'That is no e-mail address.',
  invalid_user_name: 'A name needs 1 to 64 characters.',
  session_not_found: 'That session is over already.',
  app_not_found: 'That program has nothing of your account any more.',
};

/** @param {string} text */
const sentence = (text) => `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`;

/** @typedef {{code?: string, problem?: string, detail?: string, reason?: string, status?: number, retryAfter?: number | null}} Told */

/** What went wrong, from a problem body or an error. @param {Told} told */
export const trouble = ({ code, problem, detail, reason, status, retryAfter }) => {
  if (status === 429) return `Too many attempts. Try again in ${duration(retryAfter || 1)}.`;
  // The service's advice fits the password; the page has only the rule about its length.
  if (code === 'weak_password' && reason && reason !== 'length' && detail) return sentence(detail);
  const known = PROBLEMS[problem ?? ''] ?? PROBLEMS[code ?? ''];
  if (known) return known;
  if (code === 'unavailable' || (status ?? 0) >= 500) return 'The service does not answer; try again in a moment.';
  return detail ?? `The service refused: ${problem ?? code ?? status}.`;
};

/** @type {Record<string, string>} */
const RETURNS = {
  access_denied: 'You said no at the log-in page, so this page was given nothing.',
  login_required: 'The log-in page was to show nothing, and nobody is signed on there.',
  issuer_mismatch: 'The answer came from another service than the one that was asked, so it was not used.',
  invalid_grant: 'What came back from the log-in page was used before, or is too old. Press the button again.',
};

/** The same of a way to the log-in page and back. @param {Told} told */
export const redirectTrouble = (told) => {
  if (told.code === 'unavailable') return 'You were signed in at the log-in page, but the service does not answer now. Press the button again in a moment.';
  return RETURNS[told.reason ?? ''] ?? `The log-in page sent you back without a code. It said “${told.reason ?? told.problem}”.`;
};

/** @type {Record<string, string>} */
const KINDS = { account: 'account', browser: 'log-in page', app: 'app', offline: 'offline app', service: 'service' };

/** What sort of session it is, and whose. @param {{kind?: string, client?: {name: string}}} session */
export const kindOf = ({ kind = 'account', client }) => `${KINDS[kind] ?? kind}${client ? `: ${client.name}` : ''}`;

/** When something was used, no finer than the service tells it. @param {number} seconds */
export const lastUse = (seconds) => (Date.now() / 1000 - seconds < 7200 ? 'lately' : dayAndTime(seconds));

/** @type {Record<string, string>} */
const SCOPES = {
  openid: 'knows who you are',
  profile: 'your name',
  email: 'your e-mail',
  roles: 'your roles',
  offline_access: 'stays signed in when the browser signs out',
  account: 'manages your account',
};

/** What a program may do, word by word. @param {string} scope */
export const scopeWords = (scope) => scope.split(' ').filter(Boolean).map((word) => SCOPES[word] ?? word).join(', ');

/** The same of a mail that was asked for. @param {Told} told */
export const mailTrouble = (told) =>
  told.status === 429 ? `A mail was asked for a moment ago. The next one can go in ${duration(told.retryAfter || 1)}.` : trouble(told);
