/** How much a JSON text is, told before it is parsed: what walks through it later may do so by its own stack, and in one go. */

export interface JsonMeasure {
  /** The most brackets that are open at once. */
  readonly depth: number;
  /** At most this many values, names not counted. */
  readonly values: number;
}

const [quote, comma, backslash] = [0x22, 0x2c, 0x5c];
const [openBracket, closeBracket, openBrace, closeBrace] = [0x5b, 0x5d, 0x7b, 0x7d];

/** What is in texts does not count. It need not be JSON: whatever parses it says so. */
export function measureJson(text: string): JsonMeasure {
  let [depth, depthMax, values] = [0, 0, 1];
  let isText = false;
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (isText) {
      if (char === backslash) at++;
      else if (char === quote) isText = false;
    } else if (char === quote) {
      isText = true;
    } else if (char === comma) {
      values++;
    } else if (char === openBrace || char === openBracket) {
      values++;
      depth++;
      if (depth > depthMax) depthMax = depth;
    } else if (char === closeBrace || char === closeBracket) {
      depth--;
    }
  }
  return { depth: depthMax, values };
}
