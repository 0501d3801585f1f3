/** Where verbs find the SPIFFE Workload API of an agent. */

const flag = {
  type: "string",
  valueName: "SOCKET",
  help: "socket of an agent: unix:///PATH, or a path",
  notes: ["or SPIFFE_ENDPOINT_SOCKET"],
} as const;

export const workloadApiFlag: { readonly "workload-api": typeof flag } = { "workload-api": flag };

interface RequiredFlag {
  readonly "workload-api": typeof flag & { readonly required: true; readonly env: string };
}

export const requiredWorkloadApiFlag: RequiredFlag = {
  "workload-api": { ...flag, required: true, env: "SPIFFE_ENDPOINT_SOCKET" },
};
