/**
 * The name of a private key in a token: a PKCS#11 URI (RFC 7512), read strictly. An attribute that
 * we do not match with is refused, never passed over: without it the URI would name more keys than
 * its author meant (2.5). No message repeats a value that may be a secret.
 */

import { fileURLToPath } from "node:url";
import { Pkcs11Error } from "./pkcs11-error.ts";

/** What a token must be; undefined matches any. */
export interface TokenCriteria {
  readonly label: string | undefined;
  readonly manufacturer: string | undefined;
  readonly model: string | undefined;
  readonly serial: string | undefined;
  readonly slotId: bigint | undefined;
}

/** What a private key must be; undefined matches any. */
export interface KeyCriteria {
  readonly label: string | undefined;
  /** CKA_ID. */
  readonly id: Uint8Array | undefined;
}

export interface Pkcs11Uri {
  /** Absolute: the loader would look for anything else along the library path. */
  readonly modulePath: string;
  /** Absolute. */
  readonly pinFile: string | undefined;
  readonly token: TokenCriteria;
  readonly key: KeyCriteria;
}

/** @throws Pkcs11Error `pkcs11-uri-*` */
export function parsePkcs11Uri(text: string): Pkcs11Uri {
  if (text.length > URI_CHARACTERS_MAX || !SCHEME.test(text)) {
    throw new Pkcs11Error(
      "pkcs11-uri-malformed",
      `expected a PKCS#11 URI of at most ${URI_CHARACTERS_MAX} characters`,
      { hint: "pkcs11:token=LABEL;object=LABEL?module-path=/FILE.so&pin-source=/FILE (RFC 7512)" },
    );
  }
  const [path = "", ...query] = text.slice("pkcs11:".length).split("?");
  const inPath = parseAttributes(path, PATH);
  const inQuery = parseAttributes(query.join("?"), QUERY);
  assertPrivate(textOf(inPath, "type"));
  const modulePath = textOf(inQuery, "module-path");
  if (modulePath === undefined) {
    throw new Pkcs11Error("pkcs11-uri-attribute-missing", "expected a module-path in the URI", {
      hint: "add ?module-path=/FILE.so, the vendor's PKCS#11 library",
    });
  }
  const pinSource = textOf(inQuery, "pin-source");
  return Object.freeze({
    modulePath: absolute("module-path", modulePath),
    pinFile: pinSource === undefined ? undefined : pinFileOf(pinSource),
    token: Object.freeze({
      label: textOf(inPath, "token"),
      manufacturer: textOf(inPath, "manufacturer"),
      model: textOf(inPath, "model"),
      serial: textOf(inPath, "serial"),
      slotId: slotIdOf(textOf(inPath, "slot-id")),
    }),
    key: Object.freeze({ label: textOf(inPath, "object"), id: inPath.get("id") }),
  });
}

const URI_CHARACTERS_MAX = 4_096;
const SCHEME = /^pkcs11:/i;
const SLOT_ID_MAX = 2n ** 64n - 1n;

interface Component {
  readonly separator: string;
  /** pk11-pchar and pk11-qchar of RFC 7512 2.3. */
  readonly value: RegExp;
  readonly known: ReadonlySet<string>;
  /** Attributes that we know and do not take, with what to do instead. */
  readonly refused: ReadonlyMap<string, string>;
}

const PATH: Component = {
  separator: ";",
  value: /^(?:[\w.~:[\]@!$'()*+,=&-]|%[\da-f]{2})+$/i,
  known: new Set("token manufacturer model serial slot-id object id type".split(" ")),
  refused: new Map(),
};

const QUERY: Component = {
  separator: "&",
  value: /^(?:[\w.~:[\]@!$'()*+,=/?|-]|%[\da-f]{2})+$/i,
  known: new Set(["module-path", "pin-source"]),
  refused: new Map([
    ["module-name", "name the library's file with module-path"],
    ["pin-value", "whoever lists processes sees it: put the PIN into a file, use pin-source"],
  ]),
};

function parseAttributes(text: string, component: Component): ReadonlyMap<string, Uint8Array> {
  const attributes = new Map<string, Uint8Array>();
  if (text === "") return attributes;
  for (const attribute of text.split(component.separator)) {
    const equals = attribute.indexOf("=");
    // What has no name may be a PIN that went astray: it is not repeated.
    if (equals < 0) {
      throw new Pkcs11Error("pkcs11-uri-malformed", "expected name=value in the PKCS#11 URI");
    }
    const name = attribute.slice(0, equals);
    assertKnown(name, component);
    if (attributes.has(name)) {
      throw new Pkcs11Error("pkcs11-uri-attribute-duplicate", `expected ${name} once in the URI`);
    }
    const value = attribute.slice(equals + 1);
    if (!component.value.test(value)) {
      throw invalid(name, "a value, with %XX for characters outside of RFC 7512 2.3");
    }
    attributes.set(name, percentDecoded(value));
  }
  return attributes;
}

function assertKnown(name: string, { known, refused }: Component): void {
  const hint = refused.get(name);
  if (hint !== undefined) {
    throw new Pkcs11Error("pkcs11-uri-attribute-refused", `the URI must not have ${name}`, {
      hint,
    });
  }
  if (known.has(name)) return;
  const names = [...known].join(", ");
  throw new Pkcs11Error(
    "pkcs11-uri-attribute-unknown",
    `expected ${names}, got ${JSON.stringify(name.slice(0, 40))}`,
  );
}

function percentDecoded(value: string): Uint8Array {
  const bytes = value.replaceAll(/%(..)/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return Uint8Array.from(Buffer.from(bytes, "latin1"));
}

/** Control characters are in no label, and a NUL would cut a path short. */
function textOf(attributes: ReadonlyMap<string, Uint8Array>, name: string): string | undefined {
  const bytes = attributes.get(name);
  if (bytes === undefined) return undefined;
  const text = Buffer.from(bytes).toString("utf8");
  if (/[\p{Cc}\uFFFD]/u.test(text)) throw invalid(name, "UTF-8 without control characters");
  return text;
}

function assertPrivate(type: string | undefined): void {
  if (type !== undefined && type !== "private") throw invalid("type", "private: only that signs");
}

function slotIdOf(text: string | undefined): bigint | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,20}$/.test(text) || BigInt(text) > SLOT_ID_MAX) throw invalid("slot-id", "a number");
  return BigInt(text);
}

/** RFC 7512 2.4: a file URL or a path. A command (`|`) would make this name a program to run. */
function pinFileOf(source: string): string {
  if (!source.startsWith("file:")) return absolute("pin-source", source);
  const url = URL.parse(source);
  try {
    if (url === null || url.search !== "" || url.hash !== "") throw new TypeError("not a file");
    if (!source.startsWith("file:/")) throw new TypeError("not absolute");
    return absolute("pin-source", fileURLToPath(url));
  } catch {
    throw invalid("pin-source", "the URL of a local file, as file:///FILE");
  }
}

function absolute(name: string, path: string): string {
  if (!path.startsWith("/") || path.includes("\0")) throw invalid(name, "an absolute path");
  return path;
}

function invalid(name: string, expected: string): Pkcs11Error {
  return new Pkcs11Error("pkcs11-uri-value-invalid", `${name}: expected ${expected}`);
}
