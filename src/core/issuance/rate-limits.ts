/**
 * How often certificates may be asked for: by one identity, by one namespace, by all together. A request passes all
 * three limits or takes nothing from any of them, so that one caller's refusals cost the others nothing.
 */

import { PortcullisError } from "../error.ts";
import type { SpiffeId } from "../spiffe/id.ts";
import type { RateLimit } from "./rate-bucket.ts";
import { RateLimitError, type RateScope } from "./rate-limit-error.ts";
import { RateTable } from "./rate-table.ts";

/** A scope that is left out has no limit. */
export type RateLimitConfig = Readonly<Partial<Record<RateScope, RateLimit>>>;

/** The narrowest first: it says most about what to do. */
const scopes: readonly RateScope[] = ["identity", "namespace", "global"];

/** Identities, and namespaces, that are remembered while they are limited: about 150 bytes each. */
const keysMaxDefault = 65_536;

export class RateLimits {
  readonly #keysMax: number;
  #tables: ReadonlyMap<RateScope, RateTable>;

  /** @throws PortcullisError `rate-limit-invalid` */
  constructor(config: RateLimitConfig, keysMax: number = keysMaxDefault) {
    this.#keysMax = keysMax;
    this.#tables = this.#tablesOf(config, new Map(), 0);
  }

  /**
   * Lets one request pass.
   * @param nowMs better of a monotonic clock; one that goes back lets nobody in earlier
   * @param random in [0, 1), for when to come back
   * @throws RateLimitError, and takes nothing
   */
  admit(id: SpiffeId, nowMs: number, random: number): void {
    const keys = keysOf(id);
    for (const [scope, table] of this.#tables) {
      const key = keys[scope];
      const waitMs = key === undefined ? 0 : table.waitMs(key, nowMs);
      if (key === undefined || waitMs === 0) continue;
      const retryAfterMs = table.queueUpMs(key, waitMs, nowMs, random);
      // A key for which the table has no room has used up nothing: the crowd has.
      throw new RateLimitError(table.has(key) ? scope : "global", retryAfterMs);
    }
    for (const [scope, table] of this.#tables) {
      const key = keys[scope];
      if (key !== undefined) table.take(key, nowMs);
    }
  }

  /**
   * Other limits from now on; who has used up the old ones has still used up as much.
   * @throws PortcullisError `rate-limit-invalid`, and changes nothing
   */
  reload(config: RateLimitConfig, nowMs: number): void {
    this.#tables = this.#tablesOf(config, this.#tables, nowMs);
  }

  #tablesOf(
    config: RateLimitConfig,
    before: ReadonlyMap<RateScope, RateTable>,
    nowMs: number,
  ): ReadonlyMap<RateScope, RateTable> {
    for (const scope of scopes) assertLimit(scope, config[scope]);
    const tables = new Map<RateScope, RateTable>();
    for (const scope of scopes) {
      const limit = config[scope];
      if (limit === undefined) continue;
      const table = before.get(scope) ?? new RateTable(limit, this.#keysMax);
      table.change(limit, nowMs);
      tables.set(scope, table);
    }
    return tables;
  }
}

/** Of a Kubernetes service account, by its SPIFFE ID (`/ns/NAMESPACE/sa/NAME`); others have none. */
export function namespaceOf(id: SpiffeId): string | undefined {
  const segments = id.path.split("/");
  const [, ns, namespace, sa] = segments;
  return ns === "ns" && sa === "sa" && segments.length === 5 ? namespace : undefined;
}

function keysOf(id: SpiffeId): Readonly<Record<RateScope, string | undefined>> {
  return { identity: id.toString(), namespace: namespaceOf(id), global: "" };
}

function assertLimit(scope: RateScope, limit: RateLimit | undefined): void {
  if (limit === undefined) return;
  const { ratePerSecond, burst } = limit;
  if (ratePerSecond > 0 && ratePerSecond < Infinity && burst >= 1 && burst < Infinity) return;
  throw new PortcullisError(
    "rate-limit-invalid",
    `expected a rate above 0 and a burst of at least 1 for ${scope}, got ${ratePerSecond} and ${burst}`,
    { hint: "leave the scope out for no limit; the deny list keeps an identity out" },
  );
}
