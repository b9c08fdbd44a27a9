/** All scenarios in one process, so that each engine is started once. */
import './loop.js';
import './tabs.js';
import './leaving.js';
