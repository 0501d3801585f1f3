/**
 * The rate limits as settings: for each scope a rate, and how much may come at once. A burst that is not given is what
 * the rate allows in ten seconds, so that one number says something sensible.
 */

import { PortcullisError } from "../../core/error.ts";
import type { RateScope } from "../../core/issuance/rate-limit-error.ts";
import type { RateLimitConfig } from "../../core/issuance/rate-limits.ts";
import { ConfigError } from "./config-error.ts";
import { optional, positiveInteger, scalar, type Setting } from "./setting.ts";

const burstSeconds = 10;
const rateMax = 1_000_000;

type RateSettings = {
  readonly [Scope in RateScope as `${Scope}Rate`]: Setting<number | undefined>;
} & {
  readonly [Scope in RateScope as `${Scope}Burst`]: Setting<number | undefined>;
};

export const RATE_SETTINGS: RateSettings = {
  // 10,000 pods of one service account: renewals take less than 1 a second, a start of all of them 3 minutes.
  identityRate: rateOf("identity", "one identity", "50"),
  identityBurst: burstOf("identity", "one identity"),
  namespaceRate: rateOf("namespace", "one Kubernetes namespace", "none"),
  namespaceBurst: burstOf("namespace", "one Kubernetes namespace"),
  globalRate: rateOf("global", "all together", "none"),
  globalBurst: burstOf("global", "all together"),
};

export interface SettingReader {
  readonly read: <T>(setting: Setting<T>) => T;
  /** How an error names it. */
  readonly locate: (setting: Setting<unknown>) => string;
}

/** @throws ConfigError */
export function resolveRates({ read, locate }: SettingReader): RateLimitConfig {
  const limits = (["identity", "namespace", "global"] as const).map((scope) => {
    const ratePerSecond = read(RATE_SETTINGS[`${scope}Rate`]);
    const burstSetting = RATE_SETTINGS[`${scope}Burst`];
    const burst = read(burstSetting);
    if (ratePerSecond !== undefined) {
      const limit = { ratePerSecond, burst: burst ?? Math.ceil(ratePerSecond * burstSeconds) };
      return [scope, Object.freeze(limit)] as const;
    }
    if (burst === undefined) return [scope, undefined] as const;
    const reason = `expected --${RATE_SETTINGS[`${scope}Rate`].flag} beside it`;
    throw new ConfigError("config-conflict", locate(burstSetting), reason);
  });
  return Object.freeze(Object.fromEntries(limits.filter(([, limit]) => limit !== undefined)));
}

/** By the names of their settings, to find out what has changed. */
export function rateValues(rates: RateLimitConfig): Readonly<Record<string, number | undefined>> {
  return Object.fromEntries(
    (["identity", "namespace", "global"] as const).flatMap((scope) => [
      [`${scope}Rate`, rates[scope]?.ratePerSecond],
      [`${scope}Burst`, rates[scope]?.burst],
    ]),
  );
}

function rateOf(scope: RateScope, whose: string, defaults: string): Setting<number | undefined> {
  return {
    ...scalar(parseRate),
    key: `limits.rates.${scope}.perSecond`,
    flag: `${scope}-rate`,
    valueName: "RATE",
    help: `certificates and JWT-SVIDs a second for ${whose}, on average; or none, for no limit`,
    defaults: [defaults],
    reloadable: true,
  };
}

function burstOf(scope: RateScope, whose: string): Setting<number | undefined> {
  return {
    ...optional(positiveInteger),
    key: `limits.rates.${scope}.burst`,
    flag: `${scope}-burst`,
    valueName: "N",
    help: `how many of ${whose} may come at once; without it what the rate allows in ${burstSeconds} s`,
    reloadable: true,
  };
}

function parseRate(text: string): number | undefined {
  if (text === "none") return undefined;
  const rate = Number(text);
  if (/^\d{1,7}(?:\.\d{1,3})?$/.test(text) && rate > 0 && rate <= rateMax) return rate;
  throw new PortcullisError(
    "config-invalid-value",
    `expected none, or a number above 0 and up to ${rateMax}, got ${JSON.stringify(text)}`,
  );
}
