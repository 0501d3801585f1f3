/** How long it is known who called whom, and how far back is looked before a port goes strict. */

import { positiveDuration, scalar, type Setting } from "./setting.ts";

interface EvidenceSettings {
  readonly evidenceRetentionSeconds: Setting<number>;
  readonly lookBackSeconds: Setting<number>;
}

export const EVIDENCE_SETTINGS: EvidenceSettings = {
  evidenceRetentionSeconds: {
    ...scalar(positiveDuration),
    key: "evidence.retention",
    flag: "evidence-retention",
    valueName: "DURATION",
    help: "how long it is kept who has called whom, and how",
    defaults: ["7d"],
    reloadable: true,
  },
  lookBackSeconds: {
    ...scalar(positiveDuration),
    key: "evidence.lookBack",
    flag: "look-back",
    valueName: "DURATION",
    help: "for how long nobody may have sent plaintext before a port goes strict; at most --evidence-retention",
    defaults: ["7d"],
    reloadable: true,
  },
};
