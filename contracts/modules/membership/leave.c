/*
 * contracts/modules/membership/leave.c -- a member leaves of their own will; nobody can keep them.
 */
#include "contracts/modules/cooperatives/interface.h"
#include "contracts/modules/membership/membership.h"

/*
 * Leave the cooperative.  The vote and the counters end now; what the cooperative owes is not this module's.
 *
 * Writes: the member row; the cooperative's counters; one event.
 */
enum status membership_leave(struct host *host, const Membership__Leave *request)
{
    const ProtobufCBinaryData member = host_actor(host);
    const Membership__Member *row =
        members_get(host, &(Membership__Member){.coop = request->coop, .account = member});
    Membership__Member left;

    REQUIRE(row != NULL && row->state == MEMBERSHIP__MEMBER__STATE__ACTIVE,
            MEMBERSHIP_NOT_MEMBER); /* M-7 */

    left = *row;
    left.state = MEMBERSHIP__MEMBER__STATE__LEFT;
    left.left_at_ms = host_block_time_ms(host);
    members_put(host, &left);
    REQUIRE_OK(cooperatives_member_count_add(host, request->coop, row->kind, -1));
    membership_member_left_emit(
        host, &(Membership__MemberLeft){.coop = request->coop, .account = member});
    return STATUS_OK;
}
