/**
 * PEM (RFC 7468), read strictly: one exact label, padded canonical base64 (RFC 4648 3.5), and no
 * headers in a block. A file of trust anchors may hold text between its blocks; a request may not.
 * A block that is damaged or of another label is an error and never mere text: a root that silently
 * drops out of a bundle is an outage.
 */

import { PortcullisError } from "../error.ts";

export type PemErrorCode =
  | "pem-block-missing"
  | "pem-block-damaged"
  | "pem-label-unexpected"
  | "pem-surrounding-text"
  | "pem-base64-invalid"
  | "pem-too-many-blocks";

export class PemError extends PortcullisError<PemErrorCode> {
  override name = "PemError";
}

const BEGIN = "-----BEGIN ";
const END = "-----END ";
const DASHES = "-----";
const LINE_CHARACTERS = 64;
const LINE_BREAK_FIRST = /^\r?\n/;

/** RFC 7468 7: both labels stand for the same structure. */
const LEGACY_LABELS: ReadonlyMap<string, string> = new Map([
  ["NEW CERTIFICATE REQUEST", "CERTIFICATE REQUEST"],
]);

/**
 * The contents of the one block that `text` must be, but for white space around it.
 *
 * @throws PemError
 */
export function parseSinglePem(text: string, label: string): Uint8Array {
  const trimmed = text.trim();
  if (!trimmed.includes(BEGIN)) throw blockMissing(label);
  if (!trimmed.startsWith(BEGIN)) throw surroundingText(label);
  const block = readBlock(trimmed, 0, label);
  if (block.end !== trimmed.length) {
    throw trimmed.includes(BEGIN, block.end) ? tooManyBlocks(1) : surroundingText(label);
  }
  return block.contents;
}

/**
 * The contents of all blocks, at least one, in their order; text around them is ignored.
 *
 * @throws PemError also when a block of another label is found: a private key in a bundle is an
 * accident
 */
export function parsePem(
  text: string,
  label: string,
  limits: { readonly blocksMax: number },
): Uint8Array[] {
  const blocks: Uint8Array[] = [];
  let at = 0;
  for (;;) {
    const begin = text.indexOf(BEGIN, at);
    // An END without its BEGIN is what is left of a damaged block.
    const strayEnd = text.indexOf(END, at);
    if (strayEnd !== -1 && (begin === -1 || strayEnd < begin)) throw damaged(label);
    if (begin === -1) break;
    if (blocks.length === limits.blocksMax) throw tooManyBlocks(limits.blocksMax);
    const block = readBlock(text, begin, label);
    blocks.push(block.contents);
    at = block.end;
  }
  if (blocks.length === 0) throw blockMissing(label);
  return blocks;
}

export function encodePem(der: Uint8Array, label: string): string {
  const base64 = Buffer.from(der.buffer, der.byteOffset, der.length).toString("base64");
  let text = `${BEGIN}${label}${DASHES}\n`;
  for (let at = 0; at < base64.length; at += LINE_CHARACTERS) {
    text += `${base64.slice(at, at + LINE_CHARACTERS)}\n`;
  }
  return `${text}${END}${label}${DASHES}\n`;
}

/** A bundle or a chain: one block after the other. */
export function encodeCertificates(ders: readonly Uint8Array[]): string {
  return ders.map((der) => encodePem(der, "CERTIFICATE")).join("");
}

interface Block {
  readonly contents: Uint8Array;
  /** Just behind the block. */
  readonly end: number;
}

function readBlock(text: string, begin: number, label: string): Block {
  const labelStart = begin + BEGIN.length;
  const labelEnd = text.indexOf(DASHES, labelStart);
  const bodyStart = labelEnd + DASHES.length;
  const bodyEnd = labelEnd === -1 ? -1 : text.indexOf(DASHES, bodyStart);
  if (bodyEnd === -1) throw damaged(label);
  const actual = text.slice(labelStart, labelEnd);
  if (actual !== label && LEGACY_LABELS.get(actual) !== label) {
    throw new PemError(
      "pem-label-unexpected",
      `expected a PEM block "${label}", got ${JSON.stringify(actual.slice(0, LINE_CHARACTERS))}`,
    );
  }
  const endLine = `${END}${actual}${DASHES}`;
  const end = bodyEnd + endLine.length;
  const body = text.slice(bodyStart, bodyEnd);
  // Both boundaries stand on lines of their own; other readers would not see the block otherwise.
  const linesAreWhole =
    (begin === 0 || text[begin - 1] === "\n") &&
    LINE_BREAK_FIRST.test(body) &&
    body.endsWith("\n") &&
    (end === text.length || LINE_BREAK_FIRST.test(text.slice(end, end + 2)));
  if (!linesAreWhole || !text.startsWith(endLine, bodyEnd)) throw damaged(label);
  return { contents: decodeBody(body), end };
}

/**
 * Buffer's decoder forgives whatever it is given, so what it decoded must encode to the same
 * characters.
 */
function decodeBody(body: string): Uint8Array {
  const base64 = body.replaceAll("\r\n", "\n").replaceAll("\n", "");
  const decoded = Buffer.from(base64, "base64");
  if (base64 === "" || decoded.toString("base64") !== base64) {
    throw new PemError("pem-base64-invalid", "expected padded, canonical base64 in a PEM block");
  }
  return new Uint8Array(decoded.buffer, decoded.byteOffset, decoded.length);
}

function blockMissing(label: string): PemError {
  return new PemError("pem-block-missing", `expected a PEM block "${label}", got none`);
}

function surroundingText(label: string): PemError {
  return new PemError("pem-surrounding-text", `expected only a PEM block "${label}", got text too`);
}

function damaged(label: string): PemError {
  return new PemError("pem-block-damaged", `expected a whole PEM block "${label}"`);
}

function tooManyBlocks(blocksMax: number): PemError {
  return new PemError("pem-too-many-blocks", `expected at most ${blocksMax} PEM blocks`);
}
