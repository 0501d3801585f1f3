/**
 * Every setting of the server, once: its key in the configuration file, its flag, its default, and
 * how its text becomes a value. The file's schema, the flags, the help and the reload rules are all
 * read off this table.
 */

import { resolve } from "node:path";

import { parseDuration } from "../../core/duration.ts";
import { PortcullisError } from "../../core/error.ts";
import { TrustDomain } from "../../core/spiffe/id.ts";
import { parseListenAddress, type ListenAddress } from "./listen-address.ts";

/** What documentation and flags need to know of a setting. */
export interface SettingDescription {
  /** Dotted path in the configuration file. */
  readonly key: string;
  /** Long flag, without the dashes. */
  readonly flag: string;
  readonly valueName: string;
  readonly help: string;
  /** As the operator would write it; absent when the setting has no default. */
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

export type RootKeyType = "p256" | "p384" | "rsa3072" | "rsa4096";
export type LogLevel = "debug" | "info" | "warn" | "error";

type SettingTable = {
  readonly dataDir: Setting<string>;
  readonly listen: Setting<ListenAddress>;
  readonly trustDomain: Setting<TrustDomain>;
  readonly tokenIssuer: Setting<string>;
  readonly jwks: Setting<string>;
  readonly audiences: Setting<readonly string[]>;
  readonly servingDnsNames: Setting<readonly string[]>;
  readonly defaultTtlSeconds: Setting<number>;
  readonly maxTtlSeconds: Setting<number>;
  readonly rootKeyType: Setting<RootKeyType>;
  readonly metricsListen: Setting<ListenAddress>;
  readonly callsInFlight: Setting<number>;
  readonly queueLength: Setting<number>;
  readonly logLevel: Setting<LogLevel>;
};

export const SERVER_SETTINGS: SettingTable = {
  dataDir: {
    ...scalar((text) => resolve(nonEmpty(text))),
    key: "dataDir",
    flag: "data-dir",
    valueName: "DIR",
    help: "directory of keys, log and sockets, mode 0700, made if missing",
    reloadable: false,
  },
  listen: {
    ...scalar(listenAddress),
    key: "listen",
    flag: "listen",
    valueName: "HOST:PORT",
    help: "where the CA serves gRPC over TLS",
    defaults: ["0.0.0.0:15012"],
    reloadable: false,
  },
  trustDomain: {
    ...scalar((text) => TrustDomain.parse(text)),
    key: "trustDomain",
    flag: "trust-domain",
    valueName: "NAME",
    help: "SPIFFE trust domain of every certificate",
    defaults: ["cluster.local"],
    reloadable: false,
  },
  tokenIssuer: {
    ...scalar(nonEmpty),
    key: "tokens.issuer",
    flag: "token-issuer",
    valueName: "ISSUER",
    help: "the exact iss claim of the cluster's service-account tokens",
    reloadable: false,
  },
  jwks: {
    ...scalar(jwksLocation),
    key: "tokens.jwks",
    flag: "jwks",
    valueName: "FILE|URL",
    help: "public keys of the token issuer",
    reloadable: true,
  },
  audiences: {
    ...list(nonEmpty),
    key: "tokens.audiences",
    flag: "audience",
    valueName: "AUDIENCE",
    help: "audience that a token must name; any of several",
    defaults: ["istio-ca"],
    reloadable: true,
  },
  servingDnsNames: {
    ...list(dnsName),
    key: "serving.dnsNames",
    flag: "serving-dns-name",
    valueName: "NAME",
    help: "DNS name in the server's own certificate",
    defaults: ["localhost", "istiod.istio-system.svc"],
    reloadable: true,
  },
  defaultTtlSeconds: {
    ...scalar(positiveDuration),
    key: "certificates.defaultTtl",
    flag: "default-ttl",
    valueName: "DURATION",
    help: "life of a certificate when the request names none",
    defaults: ["24h"],
    reloadable: true,
  },
  maxTtlSeconds: {
    ...scalar(positiveDuration),
    key: "certificates.maxTtl",
    flag: "max-ttl",
    valueName: "DURATION",
    help: "longest life that a request may name",
    defaults: ["90d"],
    reloadable: true,
  },
  rootKeyType: {
    ...oneOf("p256", "p384", "rsa3072", "rsa4096"),
    key: "certificates.rootKeyType",
    flag: "root-key-type",
    valueName: "TYPE",
    help: "key of an authority made from now on",
    defaults: ["p256"],
    reloadable: false,
  },
  metricsListen: {
    ...scalar(listenAddress),
    key: "metrics.listen",
    flag: "metrics-listen",
    valueName: "HOST:PORT",
    help: "where metrics and health are served over HTTP",
    defaults: ["127.0.0.1:15014"],
    reloadable: false,
  },
  callsInFlight: {
    ...scalar(positiveInteger),
    key: "limits.callsInFlight",
    flag: "calls-in-flight",
    valueName: "N",
    help: "signing requests worked on at the same time",
    defaults: ["256"],
    reloadable: true,
  },
  queueLength: {
    ...scalar(positiveInteger),
    key: "limits.queueLength",
    flag: "queue-length",
    valueName: "N",
    help: "signing requests that may wait; more are refused with a retry hint",
    defaults: ["4096"],
    reloadable: true,
  },
  logLevel: {
    ...oneOf("debug", "info", "warn", "error"),
    key: "log.level",
    flag: "log-level",
    valueName: "LEVEL",
    help: "least severe message that is logged",
    defaults: ["info"],
    reloadable: true,
  },
};

/** All settings, in the order of the documentation. */
export function serverSettings(): readonly SettingDescription[] {
  return Object.values(SERVER_SETTINGS);
}

function scalar<T>(parse: (text: string) => T): Pick<Setting<T>, "multiple" | "parse"> {
  return { multiple: false, parse: (texts) => parse(texts.at(-1) ?? "") };
}

function list<T>(parse: (text: string) => T): Pick<Setting<readonly T[]>, "multiple" | "parse"> {
  return { multiple: true, parse: (texts) => Object.freeze(texts.map(parse)) };
}

function oneOf<const T extends string>(
  ...choices: readonly T[]
): Pick<Setting<T>, "choices" | "multiple" | "parse"> {
  const parse = (text: string): T => {
    const choice = choices.find((candidate) => candidate === text);
    if (choice === undefined) throw expected(`one of ${choices.join(", ")}`, text);
    return choice;
  };
  return { choices, ...scalar(parse) };
}

function nonEmpty(text: string): string {
  if (text === "") throw expected("a value", text);
  return text;
}

function listenAddress(text: string): ListenAddress {
  const address = parseListenAddress(text);
  if (address === undefined) throw expected("HOST:PORT, an IPv6 host in brackets", text);
  return address;
}

/**
 * A relative file is made absolute, since a reload may come when the working directory is another.
 */
function jwksLocation(text: string): string {
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return resolve(nonEmpty(text));
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
function dnsName(text: string): string {
  const label = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?";
  if (text.length > 253 || !new RegExp(`^${label}(\\.${label})*$`).test(text)) {
    throw expected("a DNS name in lower case", text);
  }
  return text;
}

function positiveDuration(text: string): number {
  const seconds = parseDuration(text);
  if (seconds === 0) throw expected("a duration longer than zero", text);
  return seconds;
}

function positiveInteger(text: string): number {
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
