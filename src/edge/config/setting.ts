/**
 * What a setting is, and the kinds of settings: how the texts that an operator writes become a
 * value, or an error that says what was expected.
 */

import { resolve } from "node:path";

import { parseDuration } from "../../core/duration.ts";
import { PortcullisError } from "../../core/error.ts";
import { parseListenAddress, type ListenAddress } from "./listen-address.ts";

/** What documentation and flags need to know of a setting. */
export interface SettingDescription {
  /** Dotted path in the configuration file. */
  readonly key: string;
  /** Long flag, without the dashes. */
  readonly flag: string;
  readonly valueName: string;
  readonly help: string;
  /** As the operator would write it; absent when the setting must be given, empty when it need not. */
  readonly defaults?: readonly string[];
  /** May be given several times; a sequence in the file. */
  readonly multiple: boolean;
  /** The only values, where there are few. */
  readonly choices?: readonly string[];
  /** Whether a running server takes a change. */
  readonly reloadable: boolean;
}

export interface Setting<T> extends SettingDescription {
  /** @throws PortcullisError or TypeError, with what was expected */
  readonly parse: (texts: readonly string[]) => T;
}

/** Settings as texts, by their key (`tokens.audiences`), from one place. */
export interface SettingSource {
  readonly values: ReadonlyMap<string, readonly string[]>;
  /** How an error names a setting of this source. */
  readonly locate: (setting: SettingDescription) => string;
}

export function scalar<T>(parse: (text: string) => T): Pick<Setting<T>, "multiple" | "parse"> {
  return { multiple: false, parse: (texts) => parse(texts.at(-1) ?? "") };
}

/** Undefined where nothing is given. */
export function optional<T>(
  parse: (text: string) => T,
): Pick<Setting<T | undefined>, "defaults" | "multiple" | "parse"> {
  const parseGiven = (texts: readonly string[]): T | undefined => {
    const text = texts.at(-1);
    return text === undefined ? undefined : parse(text);
  };
  return { defaults: [], multiple: false, parse: parseGiven };
}

export function boolean(): Pick<Setting<boolean>, "choices" | "multiple" | "parse"> {
  const { parse, ...rest } = oneOf("true", "false");
  return { ...rest, parse: (texts) => parse(texts) === "true" };
}

export function list<T>(
  parse: (text: string) => T,
): Pick<Setting<readonly T[]>, "multiple" | "parse"> {
  return { multiple: true, parse: (texts) => Object.freeze(texts.map(parse)) };
}

export function oneOf<const T extends string>(
  ...choices: readonly T[]
): Pick<Setting<T>, "choices" | "multiple" | "parse"> {
  const parse = (text: string): T => {
    const choice = choices.find((candidate) => candidate === text);
    if (choice === undefined) throw expected(`one of ${choices.join(", ")}`, text);
    return choice;
  };
  return { choices, ...scalar(parse) };
}

export function nonEmpty(text: string): string {
  if (text === "") throw expected("a value", text);
  return text;
}

/**
 * A relative file is made absolute, since a reload may come when the working directory is another.
 */
export function absolutePath(text: string): string {
  return resolve(nonEmpty(text));
}

export function pkcs11Uri(text: string): string {
  if (!text.startsWith("pkcs11:")) throw expected("a pkcs11: URI (RFC 7512)", text);
  return text;
}

export function listenAddress(text: string): ListenAddress {
  const address = parseListenAddress(text);
  if (address === undefined) throw expected("HOST:PORT, an IPv6 host in brackets", text);
  return address;
}

export function jwksLocation(text: string): string {
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return absolutePath(text);
  const url = URL.parse(text);
  if (url?.protocol !== "https:" && url?.protocol !== "http:") {
    throw expected("a file or an http(s) URL", text);
  }
  return url.href;
}

/**
 * RFC 1123 2.1, lower case; a wildcard would let the server's certificate speak for names that are
 * not its own.
 */
export function dnsName(text: string): string {
  const label = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?";
  if (text.length > 253 || !new RegExp(`^${label}(\\.${label})*$`).test(text)) {
    throw expected("a DNS name in lower case", text);
  }
  return text;
}

export function positiveDuration(text: string): number {
  const seconds = parseDuration(text);
  if (seconds === 0) throw expected("a duration longer than zero", text);
  return seconds;
}

export function positiveInteger(text: string): number {
  const value = Number(text);
  if (!/^[1-9][0-9]*$/.test(text) || value > INTEGER_MAX) {
    throw expected(`an integer from 1 to ${INTEGER_MAX}`, text);
  }
  return value;
}

const INTEGER_MAX = 1_000_000;

function expected(what: string, text: string): PortcullisError<"config-invalid-value"> {
  return new PortcullisError(
    "config-invalid-value",
    `expected ${what}, got ${JSON.stringify(text)}`,
  );
}
