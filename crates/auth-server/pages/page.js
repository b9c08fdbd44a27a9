// Takes the token out of the link's fragment, which no server gets to see, and leaves no trace of it in the history.
// Without this script the field is shown, and the token is pasted into it.
'use strict';

const field = document.getElementById('token');

const take = () => {
  const inLink = new URLSearchParams(location.hash.slice(1)).get('token');
  if (inLink) {
    field.value = inLink;
    history.replaceState(null, '', location.pathname);
  }
  if (field.value) {
    document.getElementById('token-field').hidden = true;
  }
};

take();
// Another link that is opened in this tab differs in its fragment alone.
addEventListener('hashchange', take);
