/** The common name of a certificate's subject (RFC 5280 4.1.2.4, X.520 6.2.2). */

import { DerReader } from "../x509/der.ts";
import { TAG } from "../x509/der-tag.ts";

/**
 * @param subjectDer a Name that was read before, so its shape is known to be right
 * @returns undefined unless there is exactly one, in a type of string that is read the same by all
 */
export function commonNameOf(subjectDer: Uint8Array): string | undefined {
  const names: (string | undefined)[] = [];
  const relativeNames = DerReader.within(subjectDer, TAG.sequence);
  while (!relativeNames.atEnd) {
    const attributes = relativeNames.enter(TAG.set);
    while (!attributes.atEnd) {
      const attribute = attributes.enter(TAG.sequence);
      if (attribute.readOid() === COMMON_NAME) names.push(readText(attribute));
    }
  }
  return names.length === 1 ? names[0] : undefined;
}

const COMMON_NAME = "2.5.4.3";

/** Of TeletexString and BMPString, readers make different texts. */
function readText(attribute: DerReader): string | undefined {
  const tag = attribute.peekTag();
  if (tag !== TAG.utf8String && tag !== TAG.printableString && tag !== TAG.ia5String) {
    return undefined;
  }
  return Buffer.from(attribute.readContents(tag)).toString("utf8");
}
