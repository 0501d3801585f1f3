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
  const refused = answers.filter(({ isAllowed }) => isAllowed === false).map(({ need }) => need);
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
  return orOk(found, `${subject} has each of the ${answers.length} rights that it needs`);
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
