/**
 * What an operator must be allowed in the cluster's RBAC for each method of the admin API: verbs on resources of the group
 * `portcullis.io`, none of which has a namespace. Total by its types, so that no new method or step comes without one.
 */

import type { AdminService, ChangeRootRequest } from "../../../gen/portcullis/admin/v1/admin_pb.ts";

export const PERMISSION_GROUP = "portcullis.io";

export interface AdminPermission {
  readonly resource: string;
  readonly verb: string;
}

export type AdminMethod = keyof (typeof AdminService)["method"];

/** What of a request decides what it asks for: any message of the API has this shape. */
export interface AskedContent {
  /** What would be done is looked at only. */
  readonly dryRun?: boolean;
  /** Of a rotation: its step, and what that begins with. */
  readonly command?: string | { readonly case?: string | undefined; readonly value?: unknown };
}

/** All of them are needed; none for a request that asks for nothing. */
type Rule = (asked: AskedContent) => readonly AdminPermission[];
type RootStep = NonNullable<ChangeRootRequest["command"]["case"]>;

/** Each is a verb of its own. */
const rootSteps: { readonly [Step in RootStep]: true } = {
  prepare: true,
  adopt: true,
  activate: true,
  rollback: true,
  retire: true,
  abort: true,
  compromise: true,
};

const rules: { readonly [Method in AdminMethod]: Rule } = {
  getStatus: always("status", "get"),
  getBundle: always("status", "get"),
  getDiagnosis: always("status", "get"),
  createJoinToken: always("jointokens", "create"),
  addDenial: always("denials", "create"),
  listDenials: always("denials", "get"),
  removeDenial: always("denials", "delete"),
  pruneLog: always("log", "prune"),
  acceptClock: always("clock", "accept"),
  backup: always("backups", "create"),
  getRootStatus: always("roots", "get"),
  changeRoot: rootStep,
  expandWaiver: always("roots", "get"),
  addWaivers: always("roots", "waive"),
  changeResources: unlessDry("resources", always("resources", "apply")),
  listResources: always("resources", "get"),
  getPolicyStatus: always("mtls", "get"),
  checkMtls: always("mtls", "get"),
  startFlip: unlessDry("mtls", always("mtls", "flip")),
  revertFlip: unlessDry("mtls", always("mtls", "revert")),
  getFlips: always("mtls", "get"),
  makePermissive: unlessDry("mtls", always("mtls", "permissive")),
  planFlips: always("mtls", "get"),
  addCallerWaivers: always("mtls", "waive"),
  listCallerWaivers: always("mtls", "get"),
  endCallerWaiver: always("mtls", "waive"),
};

/** @param method as the service has it @returns all are needed; none for one that it has not, and for a request that asks for nothing */
export function permissionsFor(method: string, asked: AskedContent): readonly AdminPermission[] {
  return isMethod(method) ? rules[method](asked) : [];
}

/** All that there is to grant, each once. */
export function adminPermissions(): readonly AdminPermission[] {
  const steps = Object.keys(rootSteps).map((step) => ({ command: { case: step } }));
  const asked: readonly AskedContent[] = [{}, { dryRun: true }, ...steps];
  const all = Object.values(rules).flatMap((rule) => asked.flatMap(rule));
  return [...new Map(all.map((each) => [permissionText(each), each])).values()];
}

/** As RBAC's own words have it: `activate roots.portcullis.io` */
export function permissionText({ resource, verb }: AdminPermission): string {
  return `${verb} ${resource}.${PERMISSION_GROUP}`;
}

function always(resource: string, verb: string): Rule {
  return () => [{ resource, verb }];
}

/** To see what would be done is to read. */
function unlessDry(resource: string, rule: Rule): Rule {
  return (asked) => (asked.dryRun === true ? [{ resource, verb: "get" }] : rule(asked));
}

/** A dry run, too, reads the files that it is to begin with, or makes a key: whoever may only look is not let do that. */
function rootStep({ command, dryRun }: AskedContent): readonly AdminPermission[] {
  const step = typeof command === "object" ? command.case : undefined;
  if (typeof command !== "object" || step === undefined || !isRootStep(step)) return [];
  const source = sourceOf(step, command.value);
  if (dryRun === true && source === undefined && step !== "adopt") return roots("get");
  // Whose key it is makes the difference, not who reads the files.
  const isAnothers = isObject(source) && fieldOf(source, "fromDir") !== undefined;
  if (!isAnothers) return roots(step);
  return step === "prepare" ? roots("adopt") : roots(step, "adopt");
}

/** What the next authority is made of; undefined for a step that brings none. */
function sourceOf(step: RootStep, value: unknown): unknown {
  if (step === "prepare") return value ?? {};
  return step === "compromise" && isObject(value) ? fieldOf(value, "replacement") : undefined;
}

function roots(...verbs: readonly string[]): readonly AdminPermission[] {
  return verbs.map((verb) => ({ resource: "roots", verb }));
}

/** @returns undefined where it is not set, as the API's messages have it */
function fieldOf(value: object, field: string): unknown {
  const found: unknown = Object.entries(value).find(([name]) => name === field)?.[1];
  return found === "" ? undefined : found;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function isMethod(name: string): name is AdminMethod {
  return Object.hasOwn(rules, name);
}

function isRootStep(name: string): name is RootStep {
  return Object.hasOwn(rootSteps, name);
}
