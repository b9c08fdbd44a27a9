import { holdsTheContract } from './contract.js';

holdsTheContract('caddy', { down: 502 });
