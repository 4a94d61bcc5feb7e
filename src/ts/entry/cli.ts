#!/usr/bin/env node
import { main } from '../cli/main.js'
import { nodeRuntime } from '../platforms/node.js'
import { configureRuntime } from '../runtime/configure.js'

configureRuntime(nodeRuntime)
process.exitCode = await main()
