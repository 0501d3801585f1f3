/** What a running server says of itself, and how this command stands to it. */

import { create } from "@bufbuild/protobuf";
import { timestampMs, type Timestamp } from "@bufbuild/protobuf/wkt";
import { checkLog, checkReloads, checkSigning } from "../../core/doctor/check-server.ts";
import { checkOwnClock } from "../../core/doctor/check-times.ts";
import { checkVersions } from "../../core/doctor/check-versions.ts";
import {
  critical,
  judge,
  known,
  ok,
  skipped,
  warning,
  type CheckStatus,
  type DoctorFinding,
} from "../../core/doctor/finding.ts";
import { allSkipped } from "../../core/doctor/join-findings.ts";
import { PortcullisError } from "../../core/error.ts";
import { AdminAccessError } from "../../edge/rpc/admin-error.ts";
import { callAdmin, fetchStatus, ServerTooOldError } from "../../edge/rpc/admin-client.ts";
import { targetName, type AdminTarget } from "../../edge/rpc/admin-target.ts";
import {
  AdminService,
  GetDiagnosisRequestSchema,
  type DiagnosisFinding,
} from "../../gen/portcullis/admin/v1/admin_pb.ts";

export interface ServerAnswer {
  /** How this command finds it. */
  readonly seen: readonly DoctorFinding[];
  /** What it says of itself. */
  readonly said: readonly DoctorFinding[];
  /** Why it has said nothing. */
  readonly failure?: Error;
}

/** The server asks others before it answers. */
const timeoutMs = 30_000;

export async function askServer(
  target: AdminTarget,
  cli: string,
  nowMs: () => number,
): Promise<ServerAnswer> {
  try {
    return await diagnosisOf(target, cli, nowMs);
  } catch (error) {
    if (!(error instanceof ServerTooOldError)) return unanswered(target, error);
  }
  try {
    return await statusOf(target, cli, nowMs);
  } catch (error) {
    return unanswered(target, error);
  }
}

async function diagnosisOf(
  target: AdminTarget,
  cli: string,
  nowMs: () => number,
): Promise<ServerAnswer> {
  const { getDiagnosis } = AdminService.method;
  const request = create(GetDiagnosisRequestSchema);
  const answer = await callAdmin(target, getDiagnosis, request, undefined, timeoutMs);
  const heardMs = nowMs();
  return {
    seen: seenOf(target, { cli, server: answer.version, now: answer.now, heardMs }),
    said: answer.findings.map(findingOf),
  };
}

const judged: ReadonlySet<string> = new Set(["signing", "log", "reloads"]);

/** One of before this command says less, and not what it has not looked at. */
async function statusOf(
  target: AdminTarget,
  cli: string,
  nowMs: () => number,
): Promise<ServerAnswer> {
  const { server, now, reloadRefusals } = await fetchStatus(target);
  const version = server?.version ?? "";
  const problems = (server?.problems ?? []).map((detail) => ({ detail, hint: "" }));
  return {
    seen: seenOf(target, { cli, server: version, now, heardMs: nowMs() }),
    said: [
      ...judge("signing", known(problems), checkSigning),
      ...judge("log", known(server?.logAlarms ?? 0), checkLog),
      ...judge("reloads", known(reloadRefusals), checkReloads),
      ...allSkipped("the server is older than this command").filter(({ id }) => !judged.has(id)),
    ],
  };
}

interface Seen {
  readonly cli: string;
  readonly server: string;
  readonly now: Timestamp | undefined;
  readonly heardMs: number;
}

/** The way through a cluster takes a second, and the answer is dated at its end. */
const wayMs = 1_000;

function seenOf(
  target: AdminTarget,
  { cli, server, now, heardMs }: Seen,
): readonly DoctorFinding[] {
  const aheadMs = now === undefined ? 0 : timestampMs(now) - heardMs;
  const base = "the server";
  const readings = [{ whose: "this machine", aheadMs: -aheadMs, errorMs: wayMs }];
  return [
    { id: "server", ...ok(`it answers at ${targetName(target)}`) },
    ...judge("versions", known({ cli, server }), checkVersions),
    ...judge("own-clock", known({ base, readings }), checkOwnClock),
  ];
}

function unanswered(target: AdminTarget, cause: unknown): ServerAnswer {
  const failure = cause instanceof Error ? cause : new Error(String(cause));
  const hint = failure instanceof PortcullisError ? (failure.hint ?? "") : "";
  const { message } = failure;
  const name = targetName(target);
  // It is there, and that is all that it says to him.
  const said =
    failure instanceof AdminAccessError
      ? warning(`it does not let this operator in: ${message}`, hint)
      : critical(message.includes(name) ? message : `${name}: ${message}`, hint);
  const silent = allSkipped("the server has not been asked");
  return { seen: [{ id: "server", ...said }], said: silent, failure };
}

const statuses: ReadonlySet<string> = new Set(["ok", "warning", "critical", "skipped"]);

function isStatus(text: string): text is CheckStatus {
  return statuses.has(text);
}

/** What a newer server says is not taken for well. */
function findingOf({ check: id, status, finding, hint }: DiagnosisFinding): DoctorFinding {
  return isStatus(status)
    ? { id, status, finding, hint }
    : { id, ...skipped(`${status}: ${finding}`, hint) };
}
