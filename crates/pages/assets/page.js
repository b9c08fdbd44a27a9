// What makes the forms nicer; they work without.
'use strict';

// Takes the token out of the link's fragment, which no server gets to see, and leaves no trace of it in the history.
// Without this script the field is shown, and the token is pasted into it.
const token = document.getElementById('token');

const take = () => {
  const inLink = new URLSearchParams(location.hash.slice(1)).get('token');
  if (inLink) {
    token.value = inLink;
    history.replaceState(null, '', location.pathname);
  }
  if (token.value) {
    document.getElementById('token-field').hidden = true;
  }
};

if (token) {
  take();
  // Another link that is opened in this tab differs in its fragment alone.
  addEventListener('hashchange', take);
}

// Shows the password, until it is sent: password managers look for a field that hides it.
const password = document.getElementById('password');
const button = document.querySelector('.show');

const show = (shown) => {
  password.type = shown ? 'text' : 'password';
  button.setAttribute('aria-pressed', shown);
};

if (button) {
  button.hidden = false;
  button.addEventListener('click', () => show(password.type === 'password'));
  button.form.addEventListener('submit', () => show(false));
}
