import { holdsTheContract } from './contract.js';

holdsTheContract('envoy ext_authz');
