import './vitest'
