/** Versions of all that works together. */

import { critical, orOk, warning, type Said } from "./finding.ts";

export interface VersionFacts {
  /** Of this command. */
  readonly cli: string;
  readonly server: string;
}

export function checkVersions({ cli, server }: VersionFacts): readonly Said[] {
  const finding = `this command is ${cli}, and the server ${server}`;
  const hint = "use the portcullis of the server's version";
  return orOk(cli === server ? [] : [warning(finding, hint)], `both are ${server}`);
}

export interface AgentVersionFacts {
  readonly server: string;
  /** How many connected agents have said each; "" of those that have said none. */
  readonly agents: ReadonlyMap<string, number>;
}

export function checkAgents({ server, agents }: AgentVersionFacts): readonly Said[] {
  const others = [...agents].filter(([version]) => version !== server);
  const found = others.map(([version, count]) => {
    const which = version === "" ? "agents of an unknown version" : `agents of version ${version}`;
    return warning(`${count} ${which}, and the server is ${server}`, "portcullis status");
  });
  const count = [...agents.values()].reduce((sum, each) => sum + each, 0);
  return orOk(found, count === 0 ? "no agent is connected" : `${count} agents are ${server}, too`);
}

export interface ApiServerFacts {
  /** As it says: `v1.37.2` */
  readonly version: string;
}

/** The manifests need 1.30 (ValidatingAdmissionPolicy); newer ones than the tests' are said to be. */
const minors = { least: 30, tested: 37 };

export function checkApiServer({ version }: ApiServerFacts): readonly Said[] {
  const [, major, minor] = /^v?(\d+)\.(\d+)/.exec(version) ?? [];
  if (major === undefined || minor === undefined) {
    return [warning(`the API server's version is not understood: ${version}`, "kubectl version")];
  }
  const isOld = Number(major) < 1 || (Number(major) === 1 && Number(minor) < minors.least);
  const finding = `the API server is ${version}, older than 1.${minors.least}`;
  return orOk(
    isOld ? [critical(finding, "update the cluster: docs/kubernetes.md")] : [],
    `the API server answers; it is ${version} (tested with 1.${minors.tested})`,
  );
}
