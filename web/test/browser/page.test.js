/** The page itself: what fits, who can use it, and what its policy forbids. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { axe, messages, openPage, press, says, simulateLogin } from './demo-page.js';
import { expire, stage, stored } from './support.js';

const s = await stage();

const open = async (t, options) => {
  const profile = await s.profile(t, { reducedMotion: 'reduce', ...options });
  return { profile, page: await openPage(t, s, profile.context) };
};

/** Signed in, with a refresh in the diagram: the page with everything on it. */
const full = async (t, options) => {
  const { profile, page } = await open(t, options);
  await simulateLogin(page);
  await expire(profile.context, s.home, (await stored(page)).accessToken);
  await press(page, 'Get current time');
  await says(page, 'three requests');
  return { profile, page };
};

test('the first screen fits 1280×720', async (t) => {
  const { page } = await full(t, { viewport: { width: 1280, height: 720 } });
  for (const selector of ['#login', '#time', '#status', '#token', '.flow', '.chain-card', '.try']) {
    const box = await page.locator(selector).boundingBox();
    assert.ok(box && box.y >= 0 && box.y + box.height <= 720, `${selector} ends at ${box && box.y + box.height}`);
  }
  // The whole story of the click is in sight without scrolling.
  const flow = await page.locator('#flow-scroll').boundingBox();
  for (const row of await page.locator('#flow > li:last-child .message').all()) {
    const { y, height } = await row.boundingBox();
    assert.ok(y >= flow.y - 1 && y + height <= flow.y + flow.height + 1, await row.textContent());
  }
});

test('a page that cannot start says so, and its buttons stay disabled', async (t) => {
  const profile = await s.profile(t);
  await profile.context.route('**/config.json', (route) => route.fulfill({ status: 502, body: 'no' }));
  const page = await profile.context.newPage();
  await page.goto(s.authUrl);
  await says(page, 'The page could not start');
  assert.equal(await page.locator('button:enabled').count(), 0);
});

for (const [name, viewport] of Object.entries({ '320 px': { width: 320, height: 640 }, '200 % zoom': { width: 640, height: 360 }, 'a tablet': { width: 820, height: 1100 } })) {
  test(`nothing is cut off or scrolls sideways at ${name}`, async (t) => {
    const { page } = await full(t, { viewport });
    const wide = await page.evaluate(() => {
      const { clientWidth, scrollWidth } = document.documentElement;
      if (scrollWidth <= clientWidth) return [];
      return [...document.querySelectorAll('main *')].filter((e) => e.getBoundingClientRect().right > clientWidth).map((e) => `${e.tagName}.${e.className}`);
    });
    assert.deepEqual(wide, []);
    for (const button of await page.locator('button:visible').all()) {
      const { width, height } = await button.boundingBox();
      assert.ok(width >= 24 && height >= 15, await button.textContent());
    }
  });
}

for (const colorScheme of ['light', 'dark']) {
  for (const viewport of [{ width: 1280, height: 720 }, { width: 320, height: 640 }]) {
    test(`axe finds nothing: ${colorScheme}, ${viewport.width} px, signed in and signed out`, async (t) => {
      const { page } = await full(t, { colorScheme, viewport });
      assert.deepEqual(await axe(page), []);
      await press(page, 'Tamper with the token');
      await says(page, 'token_bad_signature');
      assert.deepEqual(await axe(page), [], 'with a forged token');
      await press(page, 'Log out');
      await says(page, 'Logged out');
      await page.getByText('Use an account of your own').click();
      assert.deepEqual(await axe(page), [], 'signed out');
    });
  }
}

test('a screen reader finds the two buttons, the sentence, the diagram as a list, the chain and the table', async (t) => {
  const { page } = await full(t);
  const tree = await page.locator('body').ariaSnapshot();
  for (const expected of [
    /heading "Keyturn" \[level=1\]/,
    /button "Simulate login"/,
    /button "Get current time"/,
    /status: “\d{4}-\d\d-\d\d”\. The token had expired/,
    /heading "What one click sends" \[level=2\]/,
    /text: "this tab asks resource-api:"\s+- code: GET \/api\/home\s+- text: access token [0-9a-f]{4}/,
    /text: "resource-api answers:"\s+- code: "401 act: expired"\s+- text: token_expired/,
    /text: number 1\s+- deletion: refresh token [0-9a-f]{4}\s+- text: spent/,
    /works once/,
    /table "Your sessions"/,
    /columnheader "Last used"/,
    /button "Revoke the session on Chrome \d+ on Linux, signed in/,
    /timer: /,
  ]) {
    assert.match(tree, expected);
  }
});

test('keyboard only: from the top of the page to the time, and every control can be reached and seen', async (t) => {
  const { page } = await open(t);
  const focused = () => page.evaluate(() => document.activeElement?.id || document.activeElement?.textContent);
  const tabTo = async (id) => {
    for (let i = 0; i < 60; i += 1) {
      await page.keyboard.press('Tab');
      const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
      assert.equal(outline, 'solid', `${await focused()} shows that it has the focus`);
      if ((await focused()) === id) return;
    }
    assert.fail(`${id} cannot be reached`);
  };
  await page.keyboard.press('Tab');
  assert.equal(await focused(), 'Skip to the buttons');
  await page.keyboard.press('Enter');
  await tabTo('login');
  await page.keyboard.press('Enter');
  await says(page, 'Signed in.');
  await tabTo('time');
  await page.keyboard.press('Space');
  await says(page, 'asked nobody');
  // The parts of the token: focus marks the same part of the raw text.
  await tabTo('Payload'.toLowerCase());
  assert.equal(await page.locator('#raw .marked').count(), 1);
  assert.match(await page.locator('#raw .marked').getAttribute('class'), /payload/);
  await tabTo('flow-scroll');
  for (const id of await page.locator('#try button, #try a').evaluateAll((all) => all.map((each) => each.id))) await tabTo(id);
  await tabTo('sessions-end-all');
});

test('pointing at a part of the token marks the same part of the raw string', async (t) => {
  const { page } = await open(t);
  await simulateLogin(page);
  const [header, payload, signature] = (await stored(page)).accessToken.split('.');
  for (const [name, text] of Object.entries({ header, payload, signature })) {
    await page.locator(`.part.${name}`).hover();
    assert.deepEqual(await page.locator('#raw .marked').allTextContents(), [text]);
  }
  await page.mouse.move(1, 1);
  assert.equal(await page.locator('#raw .marked').count(), 0);
});

test('reduced motion: nothing moves', async (t) => {
  const { page } = await full(t);
  const moving = await page.evaluate(() => document.getAnimations().length);
  assert.equal(moving, 0);
  assert.equal((await messages(page)).length, 6);
});

test('a strict policy holds: no inline script, no markup from text, no connection elsewhere', async (t) => {
  const profile = await s.profile(t);
  const page = await profile.context.newPage();
  const answer = await page.goto(s.authUrl);
  const policy = answer.headers()['content-security-policy'];
  for (const rule of ["default-src 'none'", "script-src 'self'", "style-src 'self'", `connect-src 'self' ${s.resourceUrl}`, "require-trusted-types-for 'script'", "frame-ancestors 'none'", "form-action 'none'", "base-uri 'none'"]) {
    assert.ok(policy.split('; ').includes(rule), `${rule} in ${policy}`);
  }
  const tried = await page.evaluate(async () => {
    const outcome = {};
    window.violations = [];
    document.addEventListener('securitypolicyviolation', (event) => window.violations.push(event.effectiveDirective));
    const script = document.createElement('script');
    try {
      script.textContent = 'window.injected = true';
      document.body.append(script);
      outcome.script = window.injected ? 'ran' : 'blocked';
    } catch {
      outcome.script = 'blocked';
    }
    try {
      document.body.innerHTML = '<img src=x onerror=alert(1)>';
      outcome.markup = 'taken';
    } catch {
      outcome.markup = 'blocked';
    }
    outcome.connection = await fetch('https://elsewhere.invalid/').then(() => 'made', (error) => error.name);
    return outcome;
  });
  assert.deepEqual(tried, { script: 'blocked', markup: 'blocked', connection: 'TypeError' });
  for (const rule of ['connect-src', 'require-trusted-types-for']) await page.waitForFunction((rule) => window.violations.includes(rule), rule);
});

test('a claim that looks like markup is shown as text', async (t) => {
  const name = '<img src=x onerror=alert(1)><b>王</b>';
  const profile = await s.profile(t);
  const page = await openPage(t, s, profile.context);
  const user = await s.register(name);
  await page.getByText('Use an account of your own').click();
  await page.locator('#form-login-email').fill(user.email);
  await page.locator('#form-login-password').fill(user.password);
  await page.locator('#form-login button').click();
  await says(page, 'Signed in.');
  assert.equal(await page.locator('#who b').textContent(), name);
  assert.equal(await page.locator('#who img').count(), 0);
  assert.ok((await page.locator('#parts').innerText()).includes(name));
});

test('the page loads nothing but its own files and the addresses of its services', async (t) => {
  const { profile } = await full(t);
  const origins = new Set(profile.sent.map((request) => new URL(request.url()).origin));
  assert.deepEqual([...origins].sort(), [s.authUrl, s.resourceUrl].sort());
});
