import { holdsTheContract } from './contract.js';

holdsTheContract('haproxy');
