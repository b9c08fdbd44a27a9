import { holdsTheContract } from './contract.js';

holdsTheContract('nginx', { twice: 400 });
