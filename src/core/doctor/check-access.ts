/** RBAC: each thing that the server needs, as the API server's authorizers answer for the server's own account. */

import { needWords, type ClusterNeed } from "./cluster-needs.ts";
import { critical, orOk, skipped, someOf, warning, type Said } from "./finding.ts";

export interface AccessFacts {
  /** As whom it was asked: `system:serviceaccount:portcullis-system:portcullis`. */
  readonly subject: string;
  readonly answers: readonly AccessAnswer[];
}

export interface AccessAnswer {
  readonly need: ClusterNeed;
  /** A text where it could not be asked: why. */
  readonly isAllowed: boolean | string;
}

export function checkAccess({ subject, answers }: AccessFacts): readonly Said[] {
  const off = rolesLeftOut(answers);
  const refused = answers.flatMap(({ need, isAllowed }) =>
    isAllowed !== false || off.has(need.role) ? [] : [need],
  );
  const unasked = answers.filter(({ isAllowed }) => typeof isAllowed === "string");
  const missing = [...Map.groupBy(refused, ({ role, what }) => `${role} ${what}`).values()].map(
    (needs) => missingOf(subject, needs),
  );
  const [first] = unasked;
  const open =
    first === undefined
      ? []
      : [skipped(`${unasked.length} of ${answers.length} rights: ${String(first.isAllowed)}`)];
  const found = [...missing, ...open];
  const count = answers.filter(({ need }) => !off.has(need.role)).length;
  const left = Array.from(off, ([role, what]) => `; ${role} is off, or not bound: ${what}`);
  return orOk(found, `${subject} has each of the ${count} rights that it needs${left.join("")}`);
}

/** Those that give nothing at all, and may: whoever has left one out is not to be told to bind it. By role: what does not work. */
function rolesLeftOut(answers: readonly AccessAnswer[]): ReadonlyMap<string, string> {
  const optional = answers.filter(({ need }) => need.isOptional === true);
  const given = new Set(
    optional.flatMap(({ need, isAllowed }) => (isAllowed === false ? [] : [need.role])),
  );
  const left = optional.filter(({ need }) => !given.has(need.role));
  return new Map(left.map(({ need: { role, what } }) => [role, what]));
}

function missingOf(subject: string, needs: readonly ClusterNeed[]): Said {
  const [first] = needs;
  const { role = "", what = "", isVital = false } = first ?? {};
  const finding = `${subject} may not ${someOf(needs.map(needWords), 4)}: ${what}`;
  const said = isVital ? critical : warning;
  return said(
    finding,
    `apply the manifests of deploy again, or: ${bindCommand(subject, role, needs)}`,
  );
}

function bindCommand(subject: string, role: string, needs: readonly ClusterNeed[]): string {
  const [, namespace, account] = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(subject) ?? [];
  const to =
    namespace === undefined ? `--user='${subject}'` : `--serviceaccount=${namespace}:${account}`;
  const within = needs[0]?.namespace ?? "";
  return within === ""
    ? `kubectl create clusterrolebinding ${role} --clusterrole=${role} ${to}`
    : `kubectl create rolebinding ${role} --namespace=${within} --role=${role} ${to}`;
}
