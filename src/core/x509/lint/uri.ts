/** The parts of a URI by the letter of RFC 3986 appendix B: a second opinion on what `SpiffeId` once parsed. */

export interface UriParts {
  readonly text: string;
  readonly scheme: string | undefined;
  readonly authority: string | undefined;
  readonly path: string;
  readonly query: string | undefined;
  readonly fragment: string | undefined;
}

const URI = /^(?:([^:/?#]+):)?(?:\/\/([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/s;

export function splitUri(text: string): UriParts {
  const [, scheme, authority, path = "", query, fragment] = URI.exec(text) ?? [];
  return { text, scheme, authority, path, query, fragment };
}

/** RFC 3986 3.2: the authority without userinfo and port. */
export function hostOf({ authority = "" }: UriParts): string {
  return authority.slice(authority.lastIndexOf("@") + 1).replace(/:.*$/s, "");
}
