/** All that is asked of a cluster for a diagnosis, at once, each with a deadline of its own. */

import { askedOf } from "../../../core/doctor/asked.ts";
import type { ClusterFacts, ClusterSettings } from "../../../core/doctor/cluster-facts.ts";
import { clusterNeeds } from "../../../core/doctor/cluster-needs.ts";
import { known, unknown, type Asked } from "../../../core/doctor/finding.ts";
import { readAccess, type AccessSubject } from "./access-facts.ts";
import { readApiServer, readKinds, readOwnReview, readTokens } from "./api-server-facts.ts";
import { readBundleMaps, readHolder, readWebhook, type InstalledAsker } from "./installed-facts.ts";

export interface ReadClusterOptions extends InstalledAsker {
  readonly settings: Asked<ClusterSettings>;
  /** Whose rights are asked for; undefined: of whoever asks. */
  readonly subject: AccessSubject | undefined;
  /** What each ConfigMap is to have, as `textSha256` has it. */
  readonly mapSha256: Asked<string>;
  readonly nowMs: () => number;
}

const noMaps = { name: "off", total: 0, behind: 0, names: [], rivals: new Map(), failing: [] };

export async function readCluster(options: ReadClusterOptions): Promise<ClusterFacts> {
  const { connection, signal, subject, settings, mapSha256, nowMs } = options;
  const asker = { connection, signal };
  const review = askedOf(() => readOwnReview(asker, nowMs));
  const within = <T>(ask: (value: ClusterSettings) => Promise<Asked<T>>): Promise<Asked<T>> =>
    settings.kind === "known" ? ask(settings.value) : Promise.resolve(settings);
  const [apiServer, own, access, kinds, tokens, webhook, maps, holder] = await Promise.all([
    askedOf(() => readApiServer(asker)),
    review,
    within(async (value) => {
      const who = subject === undefined ? await review : known(subject);
      if (who.kind === "unknown") return who;
      const answers = await readAccess(connection, clusterNeeds(value), subject, signal);
      return known({ subject: who.value.user, answers });
    }),
    askedOf(() => readKinds(asker)),
    askedOf(() => readTokens(asker)),
    askedOf(() => readWebhook(asker)),
    within(async ({ bundleConfigMap: name }) => {
      if (name === "off") return known(noMaps);
      if (mapSha256.kind === "unknown") return mapSha256;
      return await askedOf(() => readBundleMaps(asker, name, mapSha256.value));
    }),
    within(async ({ namespace, trustSecret }) => {
      if (trustSecret === undefined) return unknown("there is no --trust-secret");
      return await askedOf(() => readHolder(asker, namespace, trustSecret, nowMs()));
    }),
  ]);
  const clock = own.kind === "known" ? known(own.value.clock) : own;
  return { apiServer, clock, access, kinds, tokens, webhook, maps, holder };
}
