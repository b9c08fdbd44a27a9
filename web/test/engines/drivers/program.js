/** Where a program is. One that is missing fails the test and says what to do: it is never a reason to skip. */
import { existsSync } from 'node:fs';

/** @param {string} variable its place, if set @param {string[]} places @param {string} debian the package that has it */
export const program = (variable, places, debian) => {
  const set = process.env[variable];
  const found = (set ? [set] : places).find((place) => existsSync(place));
  if (!found) throw new Error(`${set ?? places[0]} is missing: apt-get update && apt-get install -y --no-install-recommends ${debian}, or set ${variable}`);
  return found;
};
