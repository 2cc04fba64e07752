"use client";

export { CREW_PART, createCrewAdapter, toResult } from "./adapter.ts";
export type { CrewAdapterOptions } from "./adapter.ts";
export { createCrewHistory } from "./history.ts";
export type { CrewHistoryOptions } from "./history.ts";
export { rememberRuns } from "./memory.ts";
export type { RunMemory } from "./memory.ts";
export { useCrewConnection } from "./hooks.ts";
