/** Which resources a refusal may be about: Envoy writes names into its own words, and into no field. */

/** What an operator can look at, and a report can carry. */
const namesMax = 64;

/**
 * @param carried by the response that was refused
 * @param isNews whether the client did not have that one already
 * @returns those that the words name; where they name none, all that were news to the client
 */
export function refusedNames(
  detail: string,
  carried: Iterable<string>,
  isNews: (name: string) => boolean,
): readonly string[] {
  const names = [...carried].toSorted();
  const said = names.filter((name) => isNamed(detail, name));
  return (said.length > 0 ? said : names.filter(isNews)).slice(0, namesMax);
}

/** Not as a part of a longer name: `inbound_80` is none of `inbound_8080`. */
function isNamed(text: string, name: string): boolean {
  for (let at = text.indexOf(name); at >= 0; at = text.indexOf(name, at + 1)) {
    const around = [text[at - 1] ?? " ", text[at + name.length] ?? " "];
    if (around.every((char) => !/[\w|-]/.test(char))) return true;
  }
  return false;
}
