/**
 * What an operator must be allowed in the cluster's RBAC for each method of the admin API: a verb on a resource of the group
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

/** Undefined for a request that asks for nothing. */
type Rule = (asked: AskedContent) => AdminPermission | undefined;
type RootStep = NonNullable<ChangeRootRequest["command"]["case"]>;

const rootVerbs: { readonly [Step in RootStep]: string } = {
  prepare: "prepare",
  adopt: "adopt",
  activate: "activate",
  rollback: "rollback",
  retire: "retire",
  abort: "abort",
  compromise: "compromise",
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

/** @param method as the service has it; undefined for one that it has not, and for a request that asks for nothing */
export function permissionFor(method: string, asked: AskedContent): AdminPermission | undefined {
  return isMethod(method) ? rules[method](asked) : undefined;
}

/** All that there is to grant, each once. */
export function adminPermissions(): readonly AdminPermission[] {
  const steps = Object.keys(rootVerbs).map((step) => ({ command: { case: step } }));
  const asked: readonly AskedContent[] = [{}, { dryRun: true }, ...steps];
  const all = Object.values(rules).flatMap((rule) => asked.flatMap((each) => rule(each) ?? []));
  return [...new Map(all.map((each) => [permissionText(each), each])).values()];
}

/** As RBAC's own words have it: `activate roots.portcullis.io` */
export function permissionText({ resource, verb }: AdminPermission): string {
  return `${verb} ${resource}.${PERMISSION_GROUP}`;
}

function always(resource: string, verb: string): Rule {
  return () => ({ resource, verb });
}

/** To see what would be done is to read. */
function unlessDry(resource: string, rule: Rule): Rule {
  return (asked) => (asked.dryRun === true ? { resource, verb: "get" } : rule(asked));
}

/** A dry run, too, reads the files that it is to begin with, or makes a key: whoever may only look is not let do that. */
function rootStep({ command, dryRun }: AskedContent): AdminPermission | undefined {
  const step = typeof command === "object" ? command.case : undefined;
  if (typeof command !== "object" || step === undefined || !isRootStep(step)) return undefined;
  const value: object = isObject(command.value) ? command.value : {};
  const hasSource =
    step === "prepare" ||
    step === "adopt" ||
    (step === "compromise" && isSet(value, "replacement"));
  if (dryRun === true && !hasSource) return { resource: "roots", verb: "get" };
  // Whose key it is makes the difference, not who reads the files.
  const isAnothers = step === "prepare" && isSet(value, "fromDir");
  return { resource: "roots", verb: rootVerbs[isAnothers ? "adopt" : step] };
}

function isSet(value: object, field: string): boolean {
  const found: unknown = Object.entries(value).find(([name]) => name === field)?.[1];
  return found !== undefined && found !== "";
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function isMethod(name: string): name is AdminMethod {
  return Object.hasOwn(rules, name);
}

function isRootStep(name: string): name is RootStep {
  return Object.hasOwn(rootVerbs, name);
}
