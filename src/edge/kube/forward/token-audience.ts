/** Whether a token says that it is for an audience, and for no other: good for choosing which of our own to show, and for nothing else. */

import { parseJsonObject, splitJws, TOKEN_CHARS_MAX } from "../../authn/jws.ts";

export function isTokenFor(token: string, audience: string): boolean {
  try {
    const { aud } = parseJsonObject(splitJws(token, TOKEN_CHARS_MAX).payload, "payload");
    const named = [aud].flat();
    // Of an empty list everything holds.
    return named.length > 0 && named.every((each) => each === audience);
  } catch {
    return false;
  }
}
