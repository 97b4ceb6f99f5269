/** A number on a scale from 0 to 1 with its interval as a bar and chance as a dashed line. */
export function Interval(props: { name: string; value: number; low: number; high: number; chance?: number }) {
  const { name, value, low, high, chance } = props
  const at = (share: number) => `${(100 * Math.min(1, Math.max(0, share))).toFixed(2)}%`
  const above = chance !== undefined && low > chance
  const colour = above ? 'var(--good)' : 'var(--soft)'
  return (
    <svg class="interval" role="img" aria-label={`${name}: ${at(value)}, interval ${at(low)} to ${at(high)}`}>
      <line x1="0%" x2="100%" y1="10" y2="10" stroke="var(--line)" />
      {chance !== undefined && (
        <line x1={at(chance)} x2={at(chance)} y1="0" y2="20" stroke="var(--soft)" stroke-dasharray="3 3" />
      )}
      <line
        x1={at(low)}
        x2={at(high)}
        y1="10"
        y2="10"
        stroke={colour}
        stroke-width="7"
        stroke-opacity="0.35"
        stroke-linecap="round"
      />
      <circle cx={at(value)} cy="10" r="4.5" fill={colour} />
    </svg>
  )
}
