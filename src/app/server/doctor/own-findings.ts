/** What a server finds of itself: what it knows, and what its own ports and files say when they are looked at. */

import { askedOf } from "../../../core/doctor/asked.ts";
import {
  checkDataDirectory,
  checkEvidence,
  checkLog,
  checkPorts,
  checkReloads,
  checkSigning,
} from "../../../core/doctor/check-server.ts";
import { checkClockJump, checkExpiries } from "../../../core/doctor/check-times.ts";
import { checkAgents } from "../../../core/doctor/check-versions.ts";
import { judge, known, type DoctorFinding } from "../../../core/doctor/finding.ts";
import { encodeCertificates } from "../../../core/x509/pem.ts";
import type { ShownTls } from "../../../edge/rpc/port-probe.ts";
import { readDataFiles } from "./data-files.ts";
import type { DiagnosisOptions } from "./diagnosis-options.ts";
import { heldCertificates } from "./held-certificates.ts";
import { probeOwnPorts } from "./own-ports.ts";

export interface OwnFindings {
  readonly findings: readonly DoctorFinding[];
  /** What the webhook's port has shown. */
  readonly guard: ShownTls | undefined;
}

export async function findOwn(options: DiagnosisOptions): Promise<OwnFindings> {
  const { parts, version, logAlarms, evidenceSinceMs, nowMs } = options;
  const { trust, keeper, reloads, rotation } = parts;
  const { config } = parts.live;
  const roots = encodeCertificates(trust.current.bundle.roots);
  const [ports, files] = await Promise.all([
    askedOf(() => probeOwnPorts(config, roots)),
    askedOf(() => readDataFiles(config.dataDir)),
  ]);
  const shown = ports.kind === "known" ? ports.value.certificates : [];
  const certificates = [...heldCertificates(trust.current), ...shown];
  const refused = [...reloads.refusals.all, ...rotation.auto.waiting].map((each) => {
    const { part, detail, hint = "" } = each;
    return { part, detail, hint };
  });
  const { status } = keeper.time;
  const jump = { jumpMs: status.kind === "ok" ? 0 : status.jumpMs };
  const agents = versionsOf(parts.evidence);
  const findings = [
    ...judge("signing", known(parts.problems()), checkSigning),
    ...judge("clock-jump", known(jump), checkClockJump),
    ...judge("expiries", known({ nowMs: nowMs(), certificates }), checkExpiries),
    ...judge("ports", ports, (value) => checkPorts(value.ports)),
    ...judge("data-dir", files, (value) => checkDataDirectory(value.files)),
    ...judge("log", known(logAlarms()), checkLog),
    ...judge("reloads", known(refused), checkReloads),
    ...judge("evidence", files, ({ aside }) =>
      checkEvidence({
        sinceMs: evidenceSinceMs(),
        aside,
        retentionMs: config.evidenceRetentionSeconds * 1_000,
        lookBackMs: config.lookBackSeconds * 1_000,
      }),
    ),
    ...judge("agents", known({ server: version, agents }), checkAgents),
  ];
  return { findings, guard: ports.kind === "known" ? ports.value.guard : undefined };
}

/** Of the agents whose streams are open: how many have said each. */
function versionsOf({
  agents,
}: DiagnosisOptions["parts"]["evidence"]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { agentVersion = "" } of agents.sessions()) {
    counts.set(agentVersion, (counts.get(agentVersion) ?? 0) + 1);
  }
  return counts;
}
