"use client";

export { CREW_PART, createCrewAdapter, toResult } from "./adapter.ts";
export type { CrewAdapterOptions } from "./adapter.ts";
export { useCrewConnection } from "./hooks.ts";
