/** The two types that PKCS #10 and X.509 have in common: AlgorithmIdentifier and Name. */

import { isUtf8 } from "node:buffer";

import type { DerReader } from "./der.ts";
import { DerError } from "./der-error.ts";
import { TAG } from "./der-tag.ts";

/** The strings that names are made of, with the octets of one character or of its least part. */
const NAME_STRINGS: ReadonlyMap<number, number> = new Map([
  [TAG.utf8String, 1],
  [TAG.printableString, 1],
  [TAG.teletexString, 1],
  [TAG.ia5String, 1],
  [TAG.bmpString, 2],
]);

export interface AlgorithmIdentifier {
  readonly oid: string;
  /**
   * Holds the parameters and nothing else, or nothing: whoever knows the algorithm reads to the
   * end.
   */
  readonly parameters: DerReader;
}

/** RFC 5280 4.1.1.2. */
export function readAlgorithmIdentifier(reader: DerReader): AlgorithmIdentifier {
  const parameters = reader.enter(TAG.sequence);
  return { oid: parameters.readOid(), parameters };
}

/** Steps over an AlgorithmIdentifier, whatever its algorithm, and gives its bytes. */
export function readAlgorithmElement(reader: DerReader): Uint8Array {
  const start = reader.position;
  const { parameters } = readAlgorithmIdentifier(reader);
  if (!parameters.atEnd) parameters.skip();
  parameters.expectEnd();
  return reader.since(start);
}

/** Steps over a Name (RFC 5280 4.1.2.4), which may be empty, and gives its bytes. */
export function readName(reader: DerReader): Uint8Array {
  const start = reader.position;
  const relativeNames = reader.enter(TAG.sequence);
  while (!relativeNames.atEnd) {
    const attributes = relativeNames.enter(TAG.set);
    do {
      const attribute = attributes.enter(TAG.sequence);
      attribute.readOid();
      skipNameString(attribute);
      attribute.expectEnd();
    } while (!attributes.atEnd);
  }
  return reader.since(start);
}

function skipNameString(attribute: DerReader): void {
  const tag = attribute.peekTag();
  const characterOctets = NAME_STRINGS.get(tag);
  if (characterOctets === undefined) throw nameStringInvalid();
  const contents = attribute.readContents(tag);
  const isText = tag !== TAG.utf8String || isUtf8(contents);
  if (!isText || contents.length % characterOctets !== 0) throw nameStringInvalid();
}

function nameStringInvalid(): DerError {
  return new DerError("der-string-invalid", "expected a string of RFC 5280 4.1.2.4 in a name");
}
