/** What a cluster says of itself and of a server in it, each with the reason where it does not; and the checks that hang on it alone. */

import type { AccessFacts } from "./check-access.ts";
import { checkAccess } from "./check-access.ts";
import { checkAudiences } from "./check-audiences.ts";
import {
  checkBundleMaps,
  checkTrustSecret,
  type BundleMapFacts,
  type TrustSecretFacts,
} from "./check-cluster.ts";
import { checkKinds, type KindFact } from "./check-kinds.ts";
import type { ClockReading } from "./check-times.ts";
import { checkApiServer, type ApiServerFacts } from "./check-versions.ts";
import {
  checkWebhook,
  type ShownCertificate,
  type WebhookEntry,
  type WebhookFacts,
} from "./check-webhook.ts";
import type { NeedSettings } from "./cluster-needs.ts";
import { judge, known, unknown, type Asked, type DoctorFinding } from "./finding.ts";

/** Those of a server that its cluster is to agree with. */
export interface ClusterSettings extends NeedSettings {
  /** Of tokens, as the server knows them; undefined where it has not been asked. */
  readonly issuers: readonly string[] | undefined;
  readonly audiences: readonly string[];
  readonly adminAudience: string;
  readonly guard: "off" | "warn" | "enforce";
}

export interface ClusterFacts {
  readonly apiServer: Asked<ApiServerFacts>;
  /** Of the API server, against whoever asked. */
  readonly clock: Asked<ClockReading>;
  readonly access: Asked<AccessFacts>;
  readonly kinds: Asked<readonly KindFact[]>;
  readonly tokens: Asked<PublishedTokens>;
  /** Undefined in it: there is none. */
  readonly webhook: Asked<readonly WebhookEntry[] | undefined>;
  readonly maps: Asked<BundleMapFacts>;
  /** Who has the Lease of the trust; "" for nobody. */
  readonly holder: Asked<string>;
}

export interface PublishedTokens {
  /** The `iss`. */
  readonly published: string;
  readonly keys: number;
}

/** What whoever judges knows besides. */
export interface ClusterContext {
  readonly settings: Asked<ClusterSettings>;
  /** SHA-256 of the trust bundle's roots, in hex. */
  readonly roots: Asked<readonly string[]>;
  /** Of the webhook's port. */
  readonly shown?: ShownCertificate | undefined;
  /** Of the server alone. */
  readonly trust?: Pick<TrustSecretFacts, "problems" | "isBehind" | "shortfall"> | undefined;
}

export function judgeCluster(
  facts: ClusterFacts,
  { settings, roots, shown, trust }: ClusterContext,
): readonly DoctorFinding[] {
  const { webhook, tokens, holder } = facts;
  const audiences = both(settings, tokens, ({ issuers, audiences, adminAudience }, published) =>
    known({ issuers, audiences, adminAudience, ...published }),
  );
  const guard = both(settings, webhook, ({ guard: mode }, configuration): Asked<WebhookFacts> => {
    // Then nothing is held against them.
    const isAlone = configuration === undefined || mode === "off";
    if (!isAlone && roots.kind === "unknown") return roots;
    return known({ mode, roots: roots.kind === "known" ? roots.value : [], configuration, shown });
  });
  const secret = both(settings, known(undefined), ({ namespace, trustSecret }) => {
    if (trustSecret === undefined) return unknown("the trust is in the data directory alone");
    if (trust === undefined && holder.kind === "unknown") return holder;
    const seen = trust ?? { problems: [], isBehind: false, shortfall: undefined };
    const named = { name: `${namespace}/${trustSecret}`, isSeen: trust !== undefined };
    return known({ ...named, ...seen, holder: holder.kind === "known" ? holder.value : undefined });
  });
  return [
    ...judge("api-server", facts.apiServer, checkApiServer),
    ...judge("rbac", facts.access, checkAccess),
    ...judge("crds", facts.kinds, checkKinds),
    ...judge("audiences", audiences, checkAudiences),
    ...judge("webhook", guard, checkWebhook),
    ...judge("bundle-maps", facts.maps, checkBundleMaps),
    ...judge("trust-secret", secret, checkTrustSecret),
  ];
}

/** The same for all of them. */
export function noFacts(reason: Asked<never>): ClusterFacts {
  return {
    apiServer: reason,
    clock: reason,
    access: reason,
    kinds: reason,
    tokens: reason,
    webhook: reason,
    maps: reason,
    holder: reason,
  };
}

function both<A, B, R>(a: Asked<A>, b: Asked<B>, make: (a: A, b: B) => Asked<R>): Asked<R> {
  if (a.kind === "unknown") return a;
  return b.kind === "unknown" ? b : make(a.value, b.value);
}
