/**
 * The value in a script that only assigns it to a name, as JSON; for whoever fetches the script instead of running it.
 *
 * @param {string} script
 */
export function assigned(script) {
  return JSON.parse(script.slice(script.indexOf("=") + 1));
}
