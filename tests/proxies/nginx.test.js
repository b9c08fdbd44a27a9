import { holdsTheContract } from './contract.js';

holdsTheContract('nginx', { twice: 400, inner: ['/_verify/user', '/_verify/admin', '/_verify/'] });
